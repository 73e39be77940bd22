"""Expressions over the columns of a row: what segments and metrics of one's own are declared with.

A small part of Python: numbers, text, names of columns (in backticks where they are no plain
names), + - * / % **, comparisons, `in`, and, or, not, and a few functions. What touches a null is
unknown, and an unknown row is in no sum. `label`, `prediction` and `score` are the truth and the
outputs.
"""

import ast
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from tocsin.errors import SchemaError
from tocsin.profiles.columns import CategoryColumn, Column, Floats, NumericColumn

# Names that are not columns.
LABEL, PREDICTION, SCORE = "label", "prediction", "score"
_LONGEST = 1_000
# Well below what Python's stack holds, whoever calls.
_DEEPEST = 100
# Text is skipped, and may have backticks; the second group is a name.
_QUOTED = re.compile(r"""('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")|`([^`]+)`""")

_BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: np.add,
    ast.Sub: np.subtract,
    ast.Mult: np.multiply,
    ast.Div: np.divide,
    ast.Mod: np.mod,
    ast.Pow: np.power,
}
_COMPARISONS: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
_FUNCTIONS: dict[str, tuple[int, Callable[..., Any]]] = {
    "abs": (1, np.abs),
    "sqrt": (1, np.sqrt),
    "log": (1, np.log),
    "log1p": (1, np.log1p),
    "exp": (1, np.exp),
    "floor": (1, np.floor),
    "minimum": (2, np.minimum),
    "maximum": (2, np.maximum),
}

Value = Any  # a scalar, (n,) float64 with NaN for unknown, or a CategoryColumn


@dataclass(frozen=True)
class Expression:
    """A parsed expression; `names` are the columns and outputs that it needs."""

    text: str
    names: frozenset[str]
    tree: ast.expr

    @property
    def needs_label(self) -> bool:
        """Whether it can only be known of labelled rows."""
        return LABEL in self.names

    def over(self, columns: Mapping[str, Column | Floats], rows: int) -> Floats:
        """(rows,) its value: 1 for true, 0 for false, NaN where it is unknown or not finite.

        Raises: SchemaError where text is used as a number.
        """
        # What is divided by zero or out of range is unknown, not a reason to warn.
        with np.errstate(all="ignore"):
            value = _evaluated(self.tree, columns, self.text)
        if isinstance(value, str | CategoryColumn):
            raise SchemaError(f"`{self.text}` is text, where a number or a condition is needed")
        found = np.broadcast_to(np.asarray(value, np.float64), (rows,))
        return np.where(np.isfinite(found), found, np.nan)


@lru_cache(maxsize=1024)
def parsed(text: str) -> Expression:
    """The expression that a text means.

    Raises: SchemaError that names what is not understood.
    """
    if len(text) > _LONGEST:
        raise SchemaError(f"expression `{text[:40]}...` has more than {_LONGEST} characters")
    quoted: dict[str, str] = {}

    def stand_in(match: re.Match[str]) -> str:
        if match[1] is not None:
            return match[1]
        name = f"__column_{len(quoted)}"
        quoted[name] = match[2]
        return name

    try:
        tree = ast.parse(_QUOTED.sub(stand_in, text.strip()), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise SchemaError(f"expression `{text}` cannot be read: {_reason(error)}") from error
    names: set[str] = set()
    _check(tree, text, names, quoted)
    return Expression(text, frozenset(names), tree)


def _check(
    node: ast.AST, text: str, names: set[str], quoted: Mapping[str, str], depth: int = 0
) -> None:
    """Refuse what is not of the language, and gather names."""
    if depth > _DEEPEST:
        raise SchemaError(f"expression `{text[:40]}...` is nested too deeply")
    if isinstance(node, ast.Name):
        node.id = quoted.get(node.id, node.id)
        names.add(node.id)
        return
    if isinstance(node, ast.Constant) and isinstance(node.value, bool | int | float | str):
        return
    if isinstance(node, ast.Call):
        if not isinstance(node.func, ast.Name) or node.keywords:
            raise SchemaError(f"expression `{text}` calls something that is no function")
        name = node.func.id
        wanted = 1 if name == "is_null" else _FUNCTIONS.get(name, (None,))[0]
        if wanted is None:
            known = ", ".join(sorted([*_FUNCTIONS, "is_null"]))
            raise SchemaError(f"expression `{text}`: there is no `{name}`; there are {known}")
        if len(node.args) != wanted:
            raise SchemaError(
                f"expression `{text}`: `{name}` takes {wanted} argument{'s' * (wanted > 1)}"
            )
        for argument in node.args:
            _check(argument, text, names, quoted, depth + 1)
        return
    if isinstance(node, ast.Compare):
        for i, comparison in enumerate(node.ops):
            if isinstance(comparison, ast.In | ast.NotIn):
                if i + 1 < len(node.ops):
                    raise SchemaError(f"expression `{text}`: nothing can be compared with an `in`")
                _check_list(node.comparators[i], text)
            elif type(comparison) not in _COMPARISONS:
                raise SchemaError(f"expression `{text}`: use ==, !=, <, <=, >, >= or in")
        lists = [isinstance(comparison, ast.In | ast.NotIn) for comparison in node.ops]
        compared = zip(node.comparators, lists, strict=True)
        parts = [node.left, *(each for each, is_list in compared if not is_list)]
    elif isinstance(node, ast.BoolOp):
        parts = node.values
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not | ast.USub | ast.UAdd):
        parts = [node.operand]
    elif isinstance(node, ast.BinOp) and type(node.op) in _BINARY:
        parts = [node.left, node.right]
    else:
        raise SchemaError(
            f"expression `{text}`: {type(node).__name__} is not understood; there are numbers, "
            "text, columns, arithmetic, comparisons, and, or, not, in"
        )
    for part in parts:
        _check(part, text, names, quoted, depth + 1)


def _check_list(node: ast.expr, text: str) -> None:
    if not isinstance(node, ast.Tuple | ast.List) or None in [_listed(i) for i in node.elts]:
        raise SchemaError(f"expression `{text}`: after `in` write values, such as ('DE', 'FR')")


def _listed(node: ast.expr) -> str | float | None:
    """A value that is written in a list, perhaps with one sign; None if it is none."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
        value = _listed(node.operand) if isinstance(node.operand, ast.Constant) else None
        if value is None or isinstance(value, str | bool):
            return None
        return -value if isinstance(node.op, ast.USub) else value
    if isinstance(node, ast.Constant) and isinstance(node.value, bool | int | float | str):
        return _constant(node.value)
    return None


def _constant(value: str | float) -> str | float:
    """A number that is written down; one that is too large is infinite."""
    if isinstance(value, str | bool):
        return value
    try:
        return float(value)
    except OverflowError:
        return np.inf


def _evaluated(node: ast.expr, columns: Mapping[str, Column | Floats], text: str) -> Value:
    if isinstance(node, ast.Constant):
        assert isinstance(node.value, bool | int | float | str)
        return _constant(node.value)
    if isinstance(node, ast.Name):
        column = columns[node.id]
        if isinstance(column, CategoryColumn):
            return column
        return _ended(column.known if isinstance(column, NumericColumn) else column)
    if isinstance(node, ast.Compare):
        return _compared(node, columns, text)
    if isinstance(node, ast.Call):
        return _called(node, columns, text)
    if isinstance(node, ast.BoolOp):
        values = [_number(_evaluated(part, columns, text), text) for part in node.values]
        if isinstance(node.op, ast.And):
            return _all(values)
        return _not(_all([_not(value) for value in values]))
    if isinstance(node, ast.UnaryOp):
        value = _number(_evaluated(node.operand, columns, text), text)
        if isinstance(node.op, ast.Not):
            return _not(value)
        return -value if isinstance(node.op, ast.USub) else value
    assert isinstance(node, ast.BinOp)
    left, right = (_number(_evaluated(p, columns, text), text) for p in (node.left, node.right))
    return _ended(_BINARY[type(node.op)](left, right))


def _ended(value: Value) -> Value:
    # What is infinite is unknown: 0 times infinity is NaN.
    return value + 0 * value


def _not(value: Value) -> Value:
    # What is unknown stays so: 0 * NaN is NaN.
    return (value == 0) + 0 * value


def _all(values: list[Value]) -> Value:
    """Kleene's and: false if any is false, else unknown if any is unknown."""
    truth: Value = 1.0
    for value in values:
        # NaN != 0 is true, and 0 * NaN brings it back.
        value = (value != 0) + 0 * value
        truth = np.where((truth == 0) | (value == 0), 0.0, truth * value)
    return truth


def _compared(node: ast.Compare, columns: Mapping[str, Column | Floats], text: str) -> Value:
    results = []
    left = _evaluated(node.left, columns, text)
    for comparison, comparator in zip(node.ops, node.comparators, strict=True):
        if isinstance(comparison, ast.In | ast.NotIn):
            assert isinstance(comparator, ast.Tuple | ast.List)
            wanted = [_listed(item) for item in comparator.elts]
            found = _among(left, wanted, text)
            results.append(found if isinstance(comparison, ast.In) else 1 - found)
            continue
        right = _evaluated(comparator, columns, text)
        results.append(_pair(_COMPARISONS[type(comparison)], left, right, text))
        left = right
    return results[0] if len(results) == 1 else _all(results)


def _pair(compare: Callable[[Any, Any], Any], left: Value, right: Value, text: str) -> Value:
    if isinstance(right, CategoryColumn) and not isinstance(left, CategoryColumn):
        left, right = right, left
    if isinstance(left, CategoryColumn):
        comparable = isinstance(right, str | float | bool | CategoryColumn)
        if compare not in (operator.eq, operator.ne) or not comparable:
            raise SchemaError(
                f"expression `{text}`: text can be compared by == and != with text or a value"
            )
        if isinstance(right, CategoryColumn):
            found = _alike(left, right)
        else:
            found = _among(left, [right], text)
        return found if compare is operator.eq else 1 - found
    left, right = _number(left, text), _number(right, text)
    return compare(left, right) + 0 * left + 0 * right


def _alike(left: CategoryColumn, right: CategoryColumn) -> Floats:
    """Where two columns have the same text; unknown where either is null."""
    texts = left.levels.texts(np.arange(len(left.levels)))
    # The code that each level of the right has on the left.
    same = np.append(right.levels.places(texts), -1)[right.codes] == left.codes
    return np.where((left.codes < 0) | (right.codes < 0), np.nan, same)


def _among(column: Value, wanted: list[Any], text: str) -> Value:
    if isinstance(column, CategoryColumn):
        known = column.levels.places([_written(value) for value in wanted]) >= 0
        return np.where(column.codes < 0, np.nan, np.append(known, False)[column.codes])
    number = _number(column, text)
    if any(isinstance(value, str) for value in wanted):
        raise SchemaError(f"expression `{text}` compares a number with text")
    return np.isin(number, wanted) + 0 * number


def _written(value: Any) -> str:
    """A level as text, as it is written in the lake: 1.0 is 1, and True is true."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _called(node: ast.Call, columns: Mapping[str, Column | Floats], text: str) -> Value:
    assert isinstance(node.func, ast.Name)
    arguments = [_evaluated(argument, columns, text) for argument in node.args]
    if node.func.id == "is_null":
        found = arguments[0]
        if not isinstance(found, CategoryColumn):
            found = _number(found, text)
        return (
            (found.codes < 0) * 1.0 if isinstance(found, CategoryColumn) else np.isnan(found) * 1.0
        )
    function = _FUNCTIONS[node.func.id][1]
    return _ended(function(*(_number(argument, text) for argument in arguments)))


def _number(value: Value, text: str) -> Value:
    if isinstance(value, str | CategoryColumn):
        raise SchemaError(f"expression `{text}` uses text as a number")
    return float(value) if isinstance(value, bool) else value


def _reason(error: Exception) -> str:
    """Without the file and the line that Python puts behind it."""
    return error.msg if isinstance(error, SyntaxError) else str(error)
