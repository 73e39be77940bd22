"""JSON in its one canonical form, so that anybody can compute the same hash of it again."""

import json
from typing import Any

from tocsin.errors import InvalidInputError

# Beyond these, other languages read another number than was written.
_MOST = 2**53 - 1


def canonical(value: Any) -> str:
    """JSON as RFC 8785 writes it: no spaces, names in the order of their UTF-16 units.

    value: text, whole numbers, booleans, null, and lists and dicts of these. Fractions are refused:
    their canonical form is a page of rules, and text says them as well.
    Raises: InvalidInputError for anything else.
    Source: Rundgren et al. (2020), RFC 8785, doi:10.17487/RFC8785.

    >>> canonical({"b": [1, None, True], "a": "\\u20ac$\\n"})
    '{"a":"€$\\\\n","b":[1,null,true]}'
    """
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, int) and abs(value) <= _MOST:
        return str(value)
    if isinstance(value, list | tuple):
        return f"[{','.join(canonical(part) for part in value)}]"
    if isinstance(value, dict) and all(isinstance(name, str) for name in value):
        names = sorted(value, key=_utf16)
        return f"{{{','.join(f'{_text(name)}:{canonical(value[name])}' for name in names)}}}"
    raise InvalidInputError(
        f"{value!r} has no place in a record: write text, or whole numbers up to {_MOST}"
    )


def _utf16(name: str) -> bytes:
    return name.encode("utf-16-be", "surrogatepass")


def _text(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InvalidInputError(f"{text!r} holds half a character, which no JSON has") from error
    return json.dumps(text, ensure_ascii=False)
