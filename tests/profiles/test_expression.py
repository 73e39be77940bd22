"""What declared expressions mean, and what is refused."""

import math
import time
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.profiles.synthetic import category, numeric

from tocsin.errors import SchemaError
from tocsin.profiles import NO_NULLS, NumericColumn
from tocsin.profiles.expression import parsed

NAN = float("nan")
# x is 1, 2, unknown, -3; y is 2, unknown, 5, 0; yes is true, true, unknown, false.
COLUMNS = {
    "x": numeric([1.0, 2.0, None, -3.0]),
    "y": numeric([2.0, None, 5.0, 0.0]),
    "yes": category(["true", "true", None, "false"]),
    "city": category(["Rome", "Oslo", None, "Rome"]),
    "zip": category(["10", "20", "10", None]),
    "odd": numeric([math.inf, -math.inf, NAN, 1.0]),
    "net income": numeric([10.0, 20.0, 30.0, 40.0]),
    "is it `x`?".replace("`", ""): numeric([0.0, 1.0, 0.0, 1.0]),
    "quoted": category(["a `x` b", "a", None, "b"]),
    "it's": numeric([1.0] * 4),
    "label": np.array([1.0, 0.0, 1.0, NAN]),
}


def value(text: str) -> list[float | None]:
    """The value on each of the four rows, None for unknown."""
    found = parsed(text).over(COLUMNS, 4)
    assert found.shape == (4,)
    assert found.dtype == np.float64
    return [None if math.isnan(v) else v for v in found.tolist()]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1", [1, 1, 1, 1]),
        ("True", [1, 1, 1, 1]),
        ("x", [1, 2, None, -3]),
        ("-x", [-1, -2, None, 3]),
        ("+x", [1, 2, None, -3]),
        ("x + y", [3, None, None, -3]),
        ("x - y", [-1, None, None, -3]),
        ("x * y", [2, None, None, 0]),
        ("x / y", [0.5, None, None, None]),
        ("y / x", [2, None, None, 0]),
        ("x % 2", [1, 0, None, 1]),
        ("x % 0", [None, None, None, None]),
        ("x ** 2", [1, 4, None, 9]),
        ("2 ** x", [2, 4, None, 0.125]),
        ("x ** 0.5", [1, 2**0.5, None, None]),
        ("(x + 1) * 2", [4, 6, None, -4]),
        ("x + 1 * 2", [3, 4, None, -1]),
        ("abs(x)", [1, 2, None, 3]),
        ("sqrt(x)", [1, 2**0.5, None, None]),
        ("log(x)", [0, math.log(2), None, None]),
        ("log1p(y)", [math.log1p(2), None, math.log1p(5), 0]),
        ("exp(x)", [math.e, math.e**2, None, math.exp(-3)]),
        ("floor(x / 2)", [0, 1, None, -2]),
        ("minimum(x, 0)", [0, 0, None, -3]),
        ("maximum(x, y)", [2, None, None, 0]),
        ("is_null(x)", [0, 0, 1, 0]),
        ("is_null(city)", [0, 0, 1, 0]),
        ("not is_null(zip)", [1, 1, 1, 0]),
        # Comparisons.
        ("x > 1", [0, 1, None, 0]),
        ("x >= 1", [1, 1, None, 0]),
        ("x < y", [1, None, None, 1]),
        ("x <= 1", [1, 0, None, 1]),
        ("x == 1", [1, 0, None, 0]),
        ("x != 1", [0, 1, None, 1]),
        ("0 < x < 2", [1, 0, None, 0]),
        ("0 < x <= 2 != y", [0, None, None, 0]),
        ("y < 1 < x", [0, None, 0, 0]),
        ("x in (1, 2.0)", [1, 1, None, 0]),
        ("x in [-3, +1]", [1, 0, None, 1]),
        ("x not in (1,)", [0, 1, None, 1]),
        ("x in ()", [0, 0, None, 0]),
        # Kleene's logic: what cannot change the answer may be unknown.
        ("x > 0 and y > 0", [1, None, None, 0]),
        ("x < 0 and y > 0", [0, 0, None, 0]),
        ("x > 0 or y > 0", [1, 1, 1, 0]),
        ("x > 5 or y > 5", [0, None, None, 0]),
        ("not x > 0", [0, 0, None, 1]),
        ("not (x > 0 and y > 0)", [0, None, None, 1]),
        ("x and y", [1, None, None, 0]),
        ("x or y", [1, 1, 1, 1]),
        ("not x", [0, 0, None, 0]),
        ("not y", [0, None, 0, 1]),
        ("is_null(x) or x > 1", [0, 1, 1, 0]),
        ("not is_null(y) and y > 1", [1, 0, 1, 0]),
        # Text.
        ("city == 'Rome'", [1, 0, None, 1]),
        ("'Rome' == city", [1, 0, None, 1]),
        ("city != 'Rome'", [0, 1, None, 0]),
        ("city == 'Bern'", [0, 0, None, 0]),
        ("city in ('Rome', 'Bern')", [1, 0, None, 1]),
        ("city not in ('Rome',)", [0, 1, None, 0]),
        ("city in ()", [0, 0, None, 0]),
        ("city == zip", [0, 0, None, None]),
        ("zip == zip", [1, 1, 1, None]),
        ("zip != zip", [0, 0, 0, None]),
        ("city == 'Rome' and x > 0", [1, 0, None, 0]),
        ('city == "Rome" or zip == "20"', [1, 1, None, 1]),
        ("(city == 'Rome') * 5", [5, 0, None, 5]),
        ("zip == 10", [1, 0, 1, None]),
        ("10 == zip", [1, 0, 1, None]),
        ("zip != 10.0", [0, 1, 0, None]),
        ("zip in (10, 30)", [1, 0, 1, None]),
        ("yes == True", [1, 1, None, 0]),
        ("yes != True", [0, 0, None, 1]),
        ("False == yes", [0, 0, None, 1]),
        ("yes in (True,)", [1, 1, None, 0]),
        ("yes == 'true'", [1, 1, None, 0]),
        ("quoted == 'a `x` b' and `x` == x", [1, 0, None, 0]),
        ("`it's` + `it's`", [2, 2, 2, 2]),
        # Names that are no plain names.
        ("`net income` / 10", [1, 2, 3, 4]),
        ("`net income` > 15 and `x` > 0", [0, 1, None, 0]),
        ("`is it x?` + `net income`", [10, 21, 30, 41]),
        ("label", [1, 0, 1, None]),
        ("abs(label - x)", [0, 2, None, None]),
        # What has no end or is divided by zero is unknown, and stays so.
        ("9 ** 9 ** 9", [None] * 4),
        ("-(9 ** 9 ** 9)", [None] * 4),
        ("1 / (x / 0)", [None] * 4),
        ("minimum(x / 0, 3)", [None] * 4),
        ("exp(exp(x + 10)) > 5", [None] * 4),
        ("0 * (1 / y)", [0, None, 0, None]),
        ("1e400", [None] * 4),
        ("odd", [None, None, None, 1]),
        ("maximum(odd, 1)", [None, None, None, 1]),
        ("1 / odd == 0", [None, None, None, 0]),
        ("is_null(odd)", [1, 1, 1, 0]),
        ("1" + "0" * 400, [None] * 4),
        ("x in (1" + "0" * 400 + ", 2)", [0, 1, None, 0]),
        ("  x  ", [1, 2, None, -3]),
    ],
)  # fmt: skip
def test_an_expression_has_its_value_on_each_row(text: str, expected: list[float | None]) -> None:
    found = value(text)
    assert [v is None for v in found] == [v is None for v in expected]
    assert [v for v in found if v is not None] == pytest.approx(
        [v for v in expected if v is not None]
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "cannot be read"),
        ("x +", "cannot be read"),
        ("x = 1", "cannot be read"),
        ("x; y", "cannot be read"),
        ("import os", "cannot be read"),
        ("x > 1 &&", "cannot be read"),
        ("`x", "cannot be read"),
        ("x\x00", "cannot be read"),
        ("(" * 300 + "x" + ")" * 300, "cannot be read"),
        ("x.real", "Attribute is not understood"),
        ("x.__class__.__bases__", "Attribute is not understood"),
        ("(1).__class__", "Attribute is not understood"),
        ("x[0]", "Subscript is not understood"),
        ("lambda: 1", "Lambda is not understood"),
        ("[a for a in x]", "ListComp is not understood"),
        ("sum(a for a in x)", "there is no `sum`; there are abs, exp, floor, is_null, log"),
        ("{a: 1 for a in x}", "DictComp is not understood"),
        ("{1, 2}", "Set is not understood"),
        ("(1, 2)", "Tuple is not understood"),
        ("x if y else 1", "IfExp is not understood"),
        ("(z := 1)", "NamedExpr is not understood"),
        ("f'{x}'", "JoinedStr is not understood"),
        ("x // 2", "BinOp is not understood"),
        ("x | y", "BinOp is not understood"),
        ("x @ y", "BinOp is not understood"),
        ("~x", "UnaryOp is not understood"),
        ("x << 2", "BinOp is not understood"),
        ("None", "Constant is not understood"),
        ("...", "Constant is not understood"),
        ("b'x'", "Constant is not understood"),
        ("1j", "Constant is not understood"),
        ("await x", "cannot be read|not understood"),
        ("eval('1')", "there is no `eval`"),
        ("__import__('os')", "there is no `__import__`"),
        ("open('/etc/passwd')", "there is no `open`"),
        ("x.mean()", "calls something that is no function"),
        ("(lambda: 1)()", "calls something that is no function"),
        ("abs(x)(y)", "calls something that is no function"),
        ("abs(x=1)", "calls something that is no function"),
        ("abs(**x)", "calls something that is no function"),
        ("abs()", "`abs` takes 1 argument"),
        ("abs(x, y)", "`abs` takes 1 argument"),
        ("minimum(x)", "`minimum` takes 2 arguments"),
        ("abs(*x)", "Starred is not understood"),
        ("x is y", "use ==, !=, <, <=, >, >= or in"),
        ("x in y", "after `in` write values"),
        ("x in (y, 1)", "after `in` write values"),
        ("x in (None,)", "after `in` write values"),
        ("city in 'Rome'", "after `in` write values"),
        ("x in (1, 2) == y", "nothing can be compared with an `in`"),
        ("x == (1, 2)", "Tuple is not understood"),
        ("x < [1]", "List is not understood"),
        ("x " + "+ 1" * 400, "more than 1000 characters"),
        ("+".join(["x"] * 450), "nested too deeply"),
        ("not " * 200 + "x", "nested too deeply"),
        ("- " * 400 + "x", "nested too deeply"),
    ],
)  # fmt: skip
def test_what_is_not_of_the_language_is_refused_when_it_is_read(text: str, message: str) -> None:
    with pytest.raises(SchemaError, match=message):
        parsed(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("city", "`city` is text, where a number or a condition is needed"),
        ("'Rome'", "is text, where a number or a condition is needed"),
        ("city + 1", "uses text as a number"),
        ("-city", "uses text as a number"),
        ("not city", "uses text as a number"),
        ("city and x", "uses text as a number"),
        ("abs(city)", "uses text as a number"),
        ("'a' + 'b'", "uses text as a number"),
        ("'a' * 1000000000", "uses text as a number"),
        ("x > 'a'", "uses text as a number"),
        ("'a' > x", "uses text as a number"),
        ("x == 'a'", "uses text as a number"),
        ("x in ('a', 'b')", "compares a number with text"),
        ("city < 'Rome'", "text can be compared by == and != with text or a value"),
        ("'Rome' < city", "text can be compared by == and != with text or a value"),
        ("city > 1", "text can be compared by == and != with text or a value"),
        ("1 < city", "text can be compared by == and != with text or a value"),
        ("city == x", "text can be compared by == and != with text or a value"),
        ("x == city", "text can be compared by == and != with text or a value"),
        ("is_null('a')", "uses text as a number"),
        ("'a' == 'b'", "uses text as a number"),
        ("'a' in ('a', 'b')", "uses text as a number"),
        ("city ** 9", "uses text as a number"),
    ],
)
def test_text_is_not_taken_for_a_number(text: str, message: str) -> None:
    with pytest.raises(SchemaError, match=message):
        value(text)


def test_powers_without_end_take_no_time() -> None:
    begin = time.process_time()
    value("9**9**9**9**9")
    value("(x + 2) ** 9 ** 9 ** 9")
    assert time.process_time() - begin < 1


def test_the_names_of_an_expression_are_its_columns() -> None:
    assert parsed("abs(x) + `net income` > 1 and city in ('y',)").names == {
        "x", "net income", "city",
    }  # fmt: skip
    assert parsed("label == 1").needs_label
    assert not parsed("city == 'label'").needs_label


def test_an_expression_of_a_hundred_columns_is_not_too_deep() -> None:
    assert parsed("+".join(["x"] * 90)).over(COLUMNS, 4)[0] == 90


def test_an_expression_over_no_rows_has_no_values() -> None:
    assert parsed("x > 1 and city == 'Rome'").over(
        {"x": numeric([]), "city": category([])}, 0
    ).shape == (0,)


numbers = st.floats(-100, 100).map(lambda x: round(x, 3))
OPERATORS = ["+", "-", "*", "<", "<=", ">", ">=", "==", "!="]


def texts() -> st.SearchStrategy[str]:
    leaf = st.one_of(st.sampled_from(["a", "b"]), numbers.map(str))

    def larger(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        return st.one_of(
            st.tuples(inner, st.sampled_from(OPERATORS), inner).map(
                lambda t: f"({t[0]} {t[1]} {t[2]})"
            ),
            st.tuples(inner, st.sampled_from(["and", "or"]), inner).map(
                lambda t: f"(({t[0]}) != 0 {t[1]} ({t[2]}) != 0)"
            ),
            inner.map(lambda t: f"(-{t})"),
            inner.map(lambda t: f"(not {t})"),
            inner.map(lambda t: f"abs({t})"),
            st.tuples(inner, inner, inner).map(lambda t: f"({t[0]} < {t[1]} <= {t[2]})"),
            st.tuples(inner, st.lists(numbers, max_size=3)).map(
                lambda t: f"({t[0]} in ({''.join(f'{n}, ' for n in t[1])}))"
            ),
        )

    return st.recursive(leaf, larger, max_leaves=12)


@settings(deadline=None, max_examples=300)
@given(texts(), st.lists(st.tuples(numbers, numbers), min_size=1, max_size=5))
def test_numbers_without_nulls_have_the_value_that_python_gives(text, pairs) -> None:
    a, b = np.array(pairs).T
    if len(text) > 1_000:
        return
    columns = {"a": NumericColumn(a, NO_NULLS), "b": NumericColumn(b, NO_NULLS)}
    found = parsed(text).over(columns, len(pairs))
    for got, (one, other) in zip(found.tolist(), pairs, strict=True):
        wanted = float(eval(text, {"a": one, "b": other, "abs": abs}))
        assert got == wanted or (math.isnan(got) and not math.isfinite(wanted))


@settings(deadline=None)
@given(texts(), st.lists(st.tuples(numbers, numbers), min_size=2, max_size=5))
def test_a_null_in_one_row_changes_no_other(text, pairs) -> None:
    if len(text) > 1_000:
        return
    a, b = np.array(pairs).T
    null = np.arange(len(pairs)) == 0
    whole = {"a": NumericColumn(a, NO_NULLS), "b": NumericColumn(b, NO_NULLS)}
    holed = {"a": NumericColumn(a, null), "b": NumericColumn(b, null)}
    one = parsed(text).over(whole, len(pairs))[1:]
    np.testing.assert_array_equal(parsed(text).over(holed, len(pairs))[1:], one)


@settings(deadline=None, max_examples=200)
@given(st.text(alphabet="xyabs()+-*/%<>=!'` ,.[]{}:0123456789enotrdi\n", max_size=60))
def test_any_text_is_either_understood_or_refused_with_a_reason(text: str) -> None:
    with suppress(SchemaError):
        found = parsed(text)
        if found.names <= COLUMNS.keys():
            assert found.over(COLUMNS, 4).shape == (4,)
