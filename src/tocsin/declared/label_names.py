"""Names of labels that routes go by, and that are nearly what alerts have."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from tocsin.declared.fault import Path
from tocsin.declared.wording import nearest
from tocsin.errors import InvalidInputError, did_you_mean
from tocsin.routing import parse_matcher

# What alerts are labelled with by themselves, and what every rule has.
OF_EVERY_ALERT = ("alert", "model", "severity", "category", "instance", "feature", "segment",
                  "version")  # fmt: skip
_MATCHERS = ("matchers", "source_matchers", "target_matchers")
_LISTS = ("group_by", "equal")
_ALL = "..."
_TYPO = 0.75


def misspelt(routing: Mapping[str, Any], of_rules: Collection[str]) -> Iterator[tuple[Path, str]]:
    """Where a route or an inhibition names a label that no rule of these files has, but for a typo.

    Others may be of models that no file declares. of_rules: the labels of the rules of all files.
    """
    known = {*OF_EVERY_ALERT, *of_rules}
    for path, name in _names(routing, ()):
        # Where nothing else speaks for it, a typo is a letter or two.
        meant = did_you_mean(name, sorted(known), nearness=_TYPO) if name not in known else ""
        if meant:
            yield path, f"no rule here has a label {name!r}; {meant.strip()}"


def unknown(routing: Mapping[str, Any], of_rules: Collection[str]) -> Iterator[tuple[Path, str]]:
    """Where alerts are grouped or compared by a label that no rule has.

    Of what a route takes nothing is said: it may be of rules to come. of_rules: the labels of all
    rules that there will be.
    """
    known = sorted({*OF_EVERY_ALERT, *of_rules})
    for path, name in _names(routing, ()):
        if name not in known and any(part in _LISTS for part in path):
            yield path, f"no rule has a label {name!r}; {nearest(name, known)}"


def _names(part: Any, path: Path) -> Iterator[tuple[Path, str]]:
    if isinstance(part, list):
        for i, each in enumerate(part):
            yield from _names(each, (*path, i))
        return
    if not isinstance(part, Mapping):
        return
    for key, value in part.items():
        texts = [value] if isinstance(value, str) else value if isinstance(value, list) else []
        for i, text in enumerate(texts):
            here = (*path, key) if isinstance(value, str) else (*path, key, i)
            if key in _LISTS and isinstance(text, str) and text != _ALL:
                yield here, text
            elif key in _MATCHERS and isinstance(text, str):
                yield from ((here, name) for name in _matched(text))
        if key not in (*_MATCHERS, *_LISTS):
            yield from _names(value, (*path, key))


def _matched(text: str) -> list[str]:
    try:
        return [parse_matcher(text).name]
    except InvalidInputError:
        return []  # which is a fault of its own
