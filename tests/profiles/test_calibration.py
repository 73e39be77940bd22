"""Isotonic calibration against scikit-learn's."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.isotonic import IsotonicRegression

from tocsin.profiles.calibration import isotonic


@st.composite
def bins(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    totals = draw(st.lists(st.integers(0, 50), min_size=1, max_size=30))
    positives = [draw(st.integers(0, total)) for total in totals]
    prior = sorted(draw(st.floats(0, 1)) for _ in totals)
    return np.array(positives, float), np.array(totals, float), np.array(prior)


@settings(deadline=None)
@given(bins())
def test_the_chances_are_those_of_scikit_learn_with_the_prior_as_one_row(drawn) -> None:
    positives, totals, prior = drawn
    oracle = IsotonicRegression(y_min=0, y_max=1).fit_transform(
        np.arange(len(totals)), (positives + prior) / (totals + 1), sample_weight=totals + 1
    )
    np.testing.assert_allclose(isotonic(positives, totals, prior=prior), oracle, atol=1e-9)


@settings(deadline=None)
@given(bins())
def test_chances_never_fall_and_keep_the_total_of_positives(drawn) -> None:
    positives, totals, prior = drawn
    chances = isotonic(positives, totals, prior=prior)
    assert len(chances) == len(totals)
    assert (np.diff(chances) >= 0).all()
    assert ((chances >= 0) & (chances <= 1 + 1e-12)).all()
    np.testing.assert_allclose(chances @ (totals + 1), (positives + prior).sum(), atol=1e-9)


def test_without_labels_the_prior_stands() -> None:
    prior = np.array([0.1, 0.5, 0.9])
    assert isotonic(np.zeros(3), np.zeros(3), prior=prior).tolist() == prior.tolist()


def test_many_labels_outweigh_the_prior() -> None:
    chances = isotonic(np.array([200.0, 900.0]), np.array([1e3, 1e3]), prior=np.array([0.9, 0.95]))
    np.testing.assert_allclose(chances, [0.2, 0.9], atol=0.001)
