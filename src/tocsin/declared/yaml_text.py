"""Documents as YAML that people read, and that is read back as it was."""

from typing import Any

import yaml

from tocsin.declared.strict_yaml import is_plain_text

# Mappings and lists of this length stand in one line.
_SHORT = 76


def as_yaml(document: Any) -> str:
    """A document in the order of its keys; small mappings in one line.

    >>> print(as_yaml({"alert": "Low", "expr": {"metric": "roc_auc", "window": "24h"}}), end="")
    alert: Low
    expr: {metric: roc_auc, window: 24h}
    """
    text: str = yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)
    return text


class _Dumper(yaml.SafeDumper):  # type: ignore[misc]
    """Quotes what would be read as anything but text."""

    def ignore_aliases(self, _: Any) -> bool:
        """Aliases are for people."""
        return True


def _text(dumper: _Dumper, text: str) -> yaml.Node:
    style = None if is_plain_text(text) and text.isprintable() else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


def _mapping(dumper: _Dumper, mapping: dict[str, Any]) -> yaml.Node:
    node = dumper.represent_mapping("tag:yaml.org,2002:map", mapping.items())
    small = not any(isinstance(value, dict | list) for value in mapping.values())
    node.flow_style = small and sum(len(f"{k}: {v}, ") for k, v in mapping.items()) < _SHORT
    return node


def _sequence(dumper: _Dumper, sequence: list[Any]) -> yaml.Node:
    node = dumper.represent_sequence("tag:yaml.org,2002:seq", sequence)
    small = not any(isinstance(value, dict | list) for value in sequence)
    node.flow_style = small and sum(len(f"{each}, ") for each in sequence) < _SHORT
    return node


_Dumper.add_representer(str, _text)
_Dumper.add_representer(dict, _mapping)
_Dumper.add_representer(list, _sequence)
