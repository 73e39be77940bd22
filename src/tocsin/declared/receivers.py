"""The document of a receiver, parsed once into its channels."""

from pydantic import ValidationError

from tocsin.declared.faults import faults
from tocsin.declared.receiver_documents import ReceiverDocument
from tocsin.errors import InvalidInputError
from tocsin.records.outbox import Receiver


def parse_receiver(name: str, document: object) -> tuple[Receiver, ...]:
    """The channels of the receiver that a document describes.

    Raises: InvalidInputError.
    """
    try:
        said = ReceiverDocument.model_validate(document)
    except ValidationError as error:
        raise InvalidInputError(
            f"receiver {name!r}: {faults(error, document, secret=True)}"
        ) from error
    return tuple(
        Receiver(name, kind, options.model_dump(exclude_none=True), said.fallback, receiver=name)
        for kind, options in said.channels
    )
