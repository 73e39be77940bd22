"""Which rules make sense."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.errors import InvalidInputError
from tocsin.rules import Operator, Rule
from tocsin.values import HOUR

numbers = st.floats(-1e6, 1e6)


def rule(**parts) -> Rule:
    return Rule("LowAuc", "roc_auc", HOUR, **parts)


@given(st.sampled_from(Operator), numbers, numbers, numbers)
def test_no_number_is_both_breached_and_cleared(op, value, clear, number) -> None:
    below, above = min(value, clear), max(value, clear)
    good = {"value": below, "clear": above} if op is Operator.BELOW else {
        "value": above, "clear": below}  # fmt: skip
    made = rule(op=op, **good)
    assert not (made.breached(number) and made.cleared(number))


@given(st.sampled_from(Operator), numbers, numbers)
def test_without_a_clear_every_number_is_either_breached_or_cleared(op, value, number) -> None:
    made = rule(op=op, value=value)
    assert made.breached(number) is not made.cleared(number)


@pytest.mark.parametrize(
    ("op", "breached", "held", "cleared"),
    [(Operator.BELOW, 0.69, 0.72, 0.75), (Operator.ABOVE, 0.71, 0.68, 0.65)],
)
def test_between_value_and_clear_lies_neither(op, breached, held, cleared) -> None:
    made = rule(op=op, value=0.7, clear=cleared)
    assert made.breached(breached)
    assert not made.breached(0.7)
    assert not made.breached(held)
    assert not made.cleared(held)
    assert made.cleared(cleared)


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"op": Operator.BELOW, "value": 0.7, "clear": 0.6}, r"clears at 0\.6.*breached.*< 0\.7"),
        ({"op": Operator.ABOVE, "value": 0.7, "clear": 0.8}, r"clears at 0\.8.*breached.*> 0\.7"),
        ({"value": 0.7}, "needs `op` and `value`"),
        ({"op": Operator.BELOW}, "needs `op` and `value`"),
        ({}, "such as < and 0.7"),
        ({"op": Operator.BELOW, "value": float("nan")}, "finite"),
        ({"op": Operator.BELOW, "value": float("inf")}, "finite"),
        ({"op": Operator.BELOW, "value": 0.7, "clear": float("nan")}, "finite"),
    ],
)
def test_a_rule_that_cannot_work_is_refused(parts, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message) as refused:
        rule(**parts)
    assert "LowAuc" in str(refused.value)


def test_a_rule_may_clear_exactly_at_its_value() -> None:
    assert rule(op=Operator.BELOW, value=0.7, clear=0.7).cleared(0.7)


@pytest.mark.parametrize("part", [{"op": Operator.ABOVE}, {"value": 0.2}, {"clear": 0.1}])
def test_a_drift_rule_with_a_threshold_is_refused_instead_of_ignoring_it(part) -> None:
    with pytest.raises(InvalidInputError, match="takes no `op`, `value` or `clear`"):
        Rule("Drift", "drift", HOUR, **part)
    assert Rule("Drift", "drift", HOUR).op is None
