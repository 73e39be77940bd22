"""Sentences of rules with numbers to be filled in: Jinja2, as far as it can do no harm.

Whoever may write a rule could else keep the server busy or fill its memory: there are no loops and
no calls, a few filters, and multiplication is of numbers alone.
"""

from collections.abc import Mapping
from typing import Any

from jinja2 import StrictUndefined, TemplateError, nodes
from jinja2.exceptions import SecurityError
from jinja2.sandbox import ImmutableSandboxedEnvironment

LONGEST = 1_000
# What a sentence may have filled in.
NAMES = (
    *("value", "low", "high", "n", "threshold", "metric", "window", "since", "version", "segment"),
    *("labels", "alert", "model", "instance", "severity", "text"),
)
_FILTERS = (
    *("abs", "capitalize", "d", "default", "float", "int", "length", "lower", "round", "title"),
    *("trim", "truncate", "upper"),
)
_ALLOWED = (
    *(nodes.Template, nodes.Output, nodes.TemplateData, nodes.Name, nodes.Const, nodes.Getattr),
    *(nodes.Getitem, nodes.Filter, nodes.If, nodes.CondExpr, nodes.Compare, nodes.Operand),
    *(nodes.And, nodes.Or, nodes.Not, nodes.Add, nodes.Sub, nodes.Mul, nodes.Div, nodes.Neg),
    *(nodes.Concat, nodes.Keyword),
)


class _Environment(ImmutableSandboxedEnvironment):
    intercepted_binops = frozenset(["*"])

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        for side in (left, right):
            if not isinstance(side, int | float):
                raise SecurityError(f"only numbers are multiplied, and {side!r} is none")
        return super().call_binop(context, operator, left, right)


_environment = _Environment(undefined=StrictUndefined, autoescape=False)
_environment.filters = {name: _environment.filters[name] for name in _FILTERS}
_environment.globals.clear()


def fault_of(template: str) -> str | None:
    """Why a template can never be filled in; None when it may.

    >>> fault_of("AUC {{ value|round(3) }} (n={{ n }})"), fault_of("{{ cycler() }}")
    (None, 'a call is not allowed in a summary')
    """
    try:
        tree = _environment.parse(template)
        _environment.from_string(template)
    except TemplateError as error:
        return str(error)
    for node in tree.find_all(nodes.Node):
        if not isinstance(node, _ALLOWED):
            return f"a {type(node).__name__.lower()} is not allowed in a summary"
        if isinstance(node, nodes.Name) and node.name not in NAMES:
            return f"there is nothing called {node.name!r}; there are {', '.join(NAMES)}"
    return None


def filled_in(template: str, values: Mapping[str, Any]) -> tuple[str, str | None]:
    """The sentence, in one line; empty with the reason where that is impossible.

    >>> filled_in("AUC {{ value|round(3) }} of {{ labels.team }}",
    ...           {"value": 0.71234, "labels": {"team": "risk"}})
    ('AUC 0.712 of risk', None)
    >>> filled_in("{{ value }}", {})
    ('', "'value' is undefined")
    """
    fault = fault_of(template)
    if fault is not None:
        return "", fault
    try:
        made = _environment.from_string(template).render(values)
    except (TemplateError, ArithmeticError, TypeError, ValueError) as error:
        return "", str(error) or type(error).__name__
    return " ".join(made.split())[:LONGEST], None
