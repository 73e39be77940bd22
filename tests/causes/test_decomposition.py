"""The parts of a change add up to it, whatever the rows."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from tests.profiles.synthetic import category, plan_of, predicted, profile, rows

from tocsin.causes import decomposition
from tocsin.causes.change import change
from tocsin.profiles import Plan, Profile

PLAN: Plan = plan_of(
    np.linspace(0, 1, 30), np.linspace(0, 1, 30) > 0.5, city=category(["a", "b", "c"] * 10)
)

row = st.tuples(st.floats(0, 1), st.sampled_from(["a", "b", "c", "d", None]), st.integers(0, 1))
drawn = st.lists(row, min_size=1, max_size=40)


def of(seen: list[tuple[float, str | None, int]]) -> Profile:
    scores, cities, labels = zip(*seen, strict=True)
    return profile(PLAN, rows(scores, city=category(cities)), labels)


def unlabelled(seen: list[tuple[float, str | None, int]]) -> Profile:
    scores, cities, _ = zip(*seen, strict=True)
    return predicted(PLAN, rows(scores, city=category(cities)))


def mean_loss(seen: list[tuple[float, str | None, int]]) -> float:
    return float(np.mean([(score - label) ** 2 for score, _, label in seen]))


@given(drawn, drawn)
def test_the_parts_add_up_to_the_change_of_the_mean_loss(before, now) -> None:
    parts = decomposition(of(before).feature("city"), of(now).feature("city"))
    assert parts.mix + parts.rate + parts.interaction == pytest.approx(
        mean_loss(now) - mean_loss(before), abs=1e-9
    )


@given(drawn, drawn)
def test_without_labels_only_the_mix_is_known(before, now) -> None:
    parts = decomposition(of(before).feature("city"), unlabelled(now).feature("city"))
    assert parts.rate is None
    assert parts.interaction is None
    assert -1 <= parts.mix <= 1


@given(drawn, drawn)
def test_the_mix_is_the_same_before_the_labels_come_and_after(before, now) -> None:
    early = decomposition(of(before).feature("city"), unlabelled(now).feature("city"))
    late = decomposition(of(before).feature("city"), of(now).feature("city"))
    assert early.mix == pytest.approx(late.mix, abs=1e-9)


@given(drawn, drawn, drawn, drawn)
def test_rows_whose_labels_are_not_there_yet_do_not_disturb_the_sum(b, n, b_late, n_late) -> None:
    parts = decomposition(
        (of(b) + unlabelled(b_late)).feature("city"), (of(n) + unlabelled(n_late)).feature("city")
    )
    assert parts.mix + parts.rate + parts.interaction == pytest.approx(
        mean_loss(n) - mean_loss(b), abs=1e-9
    )
    assert parts.mix == pytest.approx(decomposition(
        of(b).feature("city"), of(n).feature("city")).mix, abs=1e-9)  # fmt: skip


def test_a_bin_that_the_reference_never_saw_counts_at_its_mean_loss() -> None:
    before = [(0.1, "a", 0)] * 5 + [(0.5, "b", 0)] * 5
    now = [(0.1, "a", 0)] * 5 + [(0.5, "b", 0)] * 5 + [(0.9, "d", 0)] * 10
    parts = decomposition(of(before).feature("city"), of(now).feature("city"))
    assert parts.mix == pytest.approx(0, abs=1e-12)
    assert parts.interaction == pytest.approx(0.5 * (0.81 - 0.13))


@given(drawn)
def test_nothing_that_changed_has_no_parts(seen) -> None:
    same = of(seen).feature("city")
    parts = decomposition(same, same)
    assert (parts.mix, parts.rate, parts.interaction) == (0, 0, 0)


@given(drawn, st.integers(2, 5))
def test_the_same_rows_more_often_are_no_change(seen, times: int) -> None:
    parts = decomposition(of(seen).feature("city"), of(seen * times).feature("city"))
    assert (parts.mix, parts.rate, parts.interaction) == pytest.approx((0, 0, 0), abs=1e-9)


def test_other_shares_at_the_same_losses_are_all_mix() -> None:
    good, bad = (0.1, "a", 0), (0.9, "b", 0)
    parts = decomposition(
        of([good] * 9 + [bad]).feature("city"), of([good] * 5 + [bad] * 5).feature("city")
    )
    assert parts.mix == pytest.approx(0.4 * (0.81 - 0.01))
    assert (parts.rate, parts.interaction) == pytest.approx((0, 0), abs=1e-12)


def test_other_losses_at_the_same_shares_are_all_rate() -> None:
    before = [(0.1, "a", 0)] * 5 + [(0.1, "b", 0)] * 5
    now = [(0.1, "a", 1)] * 5 + [(0.1, "b", 0)] * 5
    parts = decomposition(of(before).feature("city"), of(now).feature("city"))
    assert parts.rate == pytest.approx(0.5 * (0.81 - 0.01))
    assert (parts.mix, parts.interaction) == pytest.approx((0, 0), abs=1e-12)


@given(drawn, drawn)
def test_the_change_is_that_of_the_mean_loss(before, now) -> None:
    found = change(of(before), of(now))
    assert found.labelled
    assert found.delta == pytest.approx(mean_loss(now) - mean_loss(before), abs=1e-9)
    variance = sum(
        np.var([(score - label) ** 2 for score, _, label in seen]) / len(seen)
        for seen in (before, now)
    )
    assert found.standard_error == pytest.approx(np.sqrt(variance), abs=1e-6)


@given(drawn, drawn)
def test_before_labels_the_change_is_what_the_calibration_expects(before, now) -> None:
    found = change(of(before), unlabelled(now))
    assert not found.labelled
    expected = [
        float(unlabelled(seen).total("expected_loss")) / len(seen) for seen in (before, now)
    ]
    assert found.delta == pytest.approx(expected[1] - expected[0], abs=1e-9)


@given(drawn, drawn, st.floats(-2, 2))
def test_no_part_explains_more_than_all_of_a_change(before, now, part: float) -> None:
    found = change(of(before), of(now))
    assert 0 <= found.explained_by(part) <= 1
    assume(abs(found.delta) > max(3 * found.standard_error, 1e-9))
    assert found.explained_by(found.delta) == pytest.approx(1)
    assert found.explained_by(found.delta / 2) == pytest.approx(0.5)
    assert found.explained_by(0) == 0
