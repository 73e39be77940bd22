"""What a server has, as a file has it; and whether two documents mean the same."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from pydantic import BaseModel, ValidationError

from tocsin.declared import documents, quality, routing_documents
from tocsin.declared.configuration_documents import API_VERSION, parsed_strictly
from tocsin.declared.documents import MonitorDocument
from tocsin.declared.receiver_documents import CHANNELS, ReceiverDocument
from tocsin.declared.routing_documents import RoutingDocument
from tocsin.records.outbox import Receiver

_ENTRY = ("monitors", 0)


def strict_monitor(name: str, document: Mapping[str, Any]) -> dict[str, Any]:
    """A monitor that the API took, in the one form that a file has.

    The API takes `"0.5"` for a number, and fields by the names that they have in the code.
    """
    mended: dict[str, Any] = _by_alias(dict(document))
    plain = meaning_of_monitor(document)
    _mend_all({"monitors": [{"name": name, **mended}]}, {"monitors": [plain]}, mended)
    return mended


def strict_routing(document: Mapping[str, Any]) -> dict[str, Any]:
    """Who is told, in the one form that a file has, without what nobody wrote."""
    mended = {key: _by_alias(part) for key, part in document.items() if part is not None}
    _mend_all(mended, meaning_of_routing(document), None)
    return mended


def _mend_all(whole: dict[str, Any], plain: Any, first: dict[str, Any] | None) -> None:
    """Mend a document where it lacks the form of a file.

    first: what stands for the first monitor; None of a document without.
    """
    try:
        parsed_strictly({"apiVersion": API_VERSION, **whole})
    except ValidationError as error:
        for detail in error.errors():
            loc = list(detail["loc"])
            if detail["type"].endswith(("_type", "_parsing")):
                if first is not None and tuple(loc[:2]) == _ENTRY:
                    _mend(first, plain["monitors"][0], loc[2:])
                else:
                    _mend(whole, plain, loc)


def _mend(mended: Any, plain: Any, loc: list[str | int]) -> None:
    """Put the value that was understood in the place of what was written."""
    for part in loc:
        here, understood = _below(mended, part), _below(plain, part)
        if here is None or understood is None:
            continue  # it names a branch and no field
        # What follows may name a branch too.
        if not isinstance(here, dict | list):
            mended[part] = understood
            return
        mended, plain = here, understood


def _below(value: Any, part: str | int) -> Any:
    if isinstance(value, dict):
        return value.get(part)
    return value[part] if isinstance(value, list) and isinstance(part, int) else None


def _by_alias(value: Any) -> Any:
    if isinstance(value, list):
        return [_by_alias(part) for part in value]
    if not isinstance(value, dict):
        return value
    return {_aliases().get(key, key): _by_alias(part) for key, part in value.items()}


@cache
def _aliases() -> dict[str, str]:
    """Fields of documents by the names that they have in the code, where these are others."""
    return {
        name: field.alias
        for module in (documents, quality, routing_documents)
        for each in vars(module).values()
        if isinstance(each, type) and issubclass(each, BaseModel)
        for name, field in each.model_fields.items()
        if field.alias is not None
    }


def meaning_of_monitor(document: Mapping[str, Any]) -> dict[str, Any]:
    """All fields of a monitor as they are understood: two that are equal do the same."""
    return MonitorDocument.model_validate(document).model_dump(mode="json", by_alias=True)


def meaning_of_routing(document: Mapping[str, Any]) -> dict[str, Any]:
    """The same of who is told."""
    return RoutingDocument.model_validate(document).model_dump(mode="json", by_alias=True)


def receiver_document(channels: Sequence[Receiver]) -> dict[str, Any] | None:
    """A receiver as it is declared, without what is usual; None for one that nobody declares."""
    given: dict[str, list[dict[str, Any]]] = {}
    for channel in channels:
        if channel.kind not in CHANNELS:
            return None
        options = {key: value for key, value in channel.options.items() if value is not None}
        given.setdefault(channel.kind, []).append(options)
    fallback = channels[0].fallback
    more = {} if fallback is None else {"fallback": fallback}
    parsed = ReceiverDocument.model_validate({**given, **more})
    dumped: dict[str, Any] = parsed.model_dump(
        mode="json", by_alias=True, exclude_unset=True, exclude_defaults=True
    )
    kinds = {kind: dumped[kind] for kind in given}
    return {k: each[0] if len(each) == 1 else each for k, each in kinds.items()} | more
