"""Every error that Tocsin raises on purpose.

TocsinError
├── InvalidInputError          what was given cannot be used; the message says how to mend it
│   ├── MalformedBodyError     a request body that cannot be parsed at all; carries the position
│   ├── BodyTooLargeError      a request body beyond what one request may hold
│   ├── UnknownFormatError     a content type or an encoding that nobody reads
│   ├── SchemaError            a schema or a monitor that contradicts itself or its data
│   │   └── ConfigurationError files of monitors with faults; carries each with its place
│   ├── SourceMovedError       a source is not where its next rows begin; carries where it is
│   ├── AliasMovedError        an alias that somebody else moved meanwhile
│   ├── UnknownModelError      a model that nobody added
│   ├── UnknownIncidentError   a number that no incident has
│   └── SignatureError         a request whose signature is wrong, or too old
├── NotAllowedError            what may not be asked for here
├── IncompatibleProfilesError  profiles of different plans cannot be added
├── RegistryError              the model registry cannot be reached, or lacks what was asked for
├── UnavailableError           nothing can be stored now; the same may be tried again in a while
├── DeliveryError              a notification was not taken; `permanent` says whether to try again
└── StartupError               the server cannot start here: a port, a lock, a folder
    └── DataInUseError         another Tocsin server works on the same data
"""

import re
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import Any

_CREDENTIALS = re.compile(r"://[^/?#\s]*@")


def without_credentials(text: str) -> str:
    """A text in which addresses name no user and no password, as errors of others may.

    >>> without_credentials("no answer of http://ann:secret@mlflow:5000/api")
    'no answer of http://mlflow:5000/api'
    """
    return _CREDENTIALS.sub("://", text)


def did_you_mean(name: str, known: Iterable[str], *, nearness: float = 0.6) -> str:
    """A question about the known name that is nearest to an unknown one; nothing if none is near.

    nearness: the share of letters in common from which on a name is near, as of `difflib`.

    >>> did_you_mean("roc_acu", ["accuracy_score", "roc_auc"]), did_you_mean("xyz", ["roc_auc"])
    ('did you mean `roc_auc`? ', '')
    """
    near = get_close_matches(name, list(known), n=1, cutoff=nearness)
    return f"did you mean `{near[0]}`? " if near else ""


class TocsinError(Exception):
    """The root: `except TocsinError` catches all that Tocsin raises on purpose."""


class InvalidInputError(TocsinError):
    """What was given cannot be used; the message names it and the remedy."""


class MalformedBodyError(InvalidInputError):
    """A request body that cannot be parsed; `position` is its byte offset where known."""

    def __init__(self, message: str, position: int | None = None) -> None:
        super().__init__(message)
        self.position = position


class BodyTooLargeError(InvalidInputError):
    """A request body beyond what one request may hold."""


class UnknownFormatError(InvalidInputError):
    """A content type or an encoding that nobody reads."""


class SchemaError(InvalidInputError):
    """A schema or monitor that contradicts itself or its data."""


class ConfigurationError(SchemaError):
    """Files of monitors that cannot be used; `faults` are all of them, each with its place."""

    def __init__(self, message: str, faults: Sequence[dict[str, Any]] = ()) -> None:
        super().__init__(message)
        self.faults = tuple(faults)


class SourceMovedError(InvalidInputError):
    """A source is not where its next rows begin: they were stored already, or others read it too.

    position: how far the source was read; empty at first.
    """

    def __init__(self, source: str, position: str) -> None:
        super().__init__(
            f"source {source!r} was read up to {position or 'nothing'!r}, and these rows do not "
            "begin there; go on from there, and let one import at a time read a source"
        )
        self.position = position


class AliasMovedError(InvalidInputError):
    """An alias that somebody else moved meanwhile: it was not, or not only, moved by us."""


class UnknownIncidentError(InvalidInputError):
    """A number that no incident has."""


class UnknownModelError(InvalidInputError):
    """A model that nobody added to Tocsin."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"model {name!r} is not monitored; add it with PUT /api/v1/models/{name}, "
            f"or from the registry with `tocsin watch models:/{name}@champion`"
        )


class SignatureError(InvalidInputError):
    """A request that is not signed with our secret, or was signed too long ago."""


class NotAllowedError(TocsinError):
    """Something that may not be asked for here; the message says what allows it."""


class IncompatibleProfilesError(TocsinError):
    """Profiles of different plans cannot be added."""


class RegistryError(TocsinError):
    """The model registry cannot be reached, or lacks what was asked for."""


class UnavailableError(TocsinError):
    """Nothing can be stored now, and nothing was; `retry_after_s` is when to try again."""

    def __init__(self, message: str, *, retry_after_s: float = 5.0) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class DeliveryError(TocsinError):
    """A notification was not taken by its receiver.

    permanent: repeating it cannot help (a wrong address, a refused payload).
    retry_after_s: how long the receiver asked to be left alone, if it did.
    maybe_taken: there was no answer, so that it may have arrived.
    gone: the receiver says that it is no more, and wants nothing again.
    """

    def __init__(
        self,
        message: str,
        *,
        permanent: bool,
        retry_after_s: float | None = None,
        maybe_taken: bool = False,
        gone: bool = False,
    ) -> None:
        super().__init__(message)
        self.permanent = permanent
        self.retry_after_s = retry_after_s
        self.maybe_taken = maybe_taken
        self.gone = gone


class StartupError(TocsinError):
    """The server cannot start here; the message says what is in the way."""


class DataInUseError(StartupError):
    """Another Tocsin server works on the same data."""
