"""The interval of a difference holds as often as it says."""

import numpy as np
import pytest

from tocsin.metrics.difference import difference
from tocsin.metrics.intervals import wilson
from tocsin.values import Bounded, Undefined


@pytest.mark.parametrize(("p", "q", "n", "m"), [(0.7, 0.8, 200, 300), (0.95, 0.9, 60, 2_000)])
def test_95_of_100_intervals_hold_the_difference(p: float, q: float, n: int, m: int) -> None:
    rng = np.random.default_rng(0)
    held = 0
    for a, b in zip(rng.binomial(n, p, 2_000), rng.binomial(m, q, 2_000), strict=True):
        low, high = (float(end) for end in wilson(np.array(float(a)), np.array(float(n))))
        first = Bounded(a / n, low=low, high=high, n=n)
        low, high = (float(end) for end in wilson(np.array(float(b)), np.array(float(m))))
        found = difference(first, Bounded(b / m, low=low, high=high, n=m))
        assert isinstance(found, Bounded)
        assert found.low is not None
        assert found.high is not None
        held += found.low <= p - q <= found.high
    assert 0.94 <= held / 2_000 <= 0.965


def test_without_an_interval_of_either_there_is_none() -> None:
    assert difference(Bounded(0.5, low=0.4, high=0.6, n=9), Bounded(0.25)) == Bounded(0.25, n=9)


def test_binning_errors_add_up() -> None:
    assert difference(Bounded(0.5, 0.01), Bounded(0.25, 0.02)).error == 0.03  # type: ignore[union-attr]


def test_what_is_not_defined_says_why() -> None:
    none = Undefined("no outcomes yet", 5)
    assert difference(none, Bounded(0.5)) == none
    found = difference(Bounded(0.5, n=7), none, of="the window before")
    assert found == Undefined("the window before: no outcomes yet", 7)
