"""The gradients of numbers of a confusion matrix, against differences; and what they add up to."""

import numpy as np
import pytest

from tocsin.metrics import confusion as cells

NUMBERS = (
    cells.balanced_accuracy,
    cells.recall_macro,
    cells.precision_macro,
    cells.precision_weighted,
    cells.f1_macro,
    cells.f1_weighted,
    cells.matthews,
    cells.kappa,
)


def full_gradient(number: cells.Sloped) -> np.ndarray:
    found = number.row[..., :, None] + number.column[..., None, :]
    return found + number.diagonal[..., None] * np.eye(number.row.shape[-1])


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("k", [2, 3, 6])
def test_a_gradient_is_what_a_little_more_of_a_cell_changes(number: cells.Number, k: int) -> None:
    confusion = np.random.default_rng(k).integers(1, 50, (k, k)).astype(float) + 40 * np.eye(k)
    gradient, small = full_gradient(number(confusion)), 1e-4
    for i in range(k):
        for j in range(k):
            more = np.zeros((k, k))
            more[i, j] = small
            change = number(confusion + more).value - number(confusion - more).value
            assert gradient[i, j] == pytest.approx(change / (2 * small), abs=1e-8)


@pytest.mark.parametrize("number", NUMBERS)
def test_twice_the_rows_have_the_same_number_and_half_the_variance(number: cells.Number) -> None:
    confusion = np.random.default_rng(1).integers(1, 50, (5, 4, 4)).astype(float)
    one, other = number(confusion), number(2 * confusion)
    assert one.value == pytest.approx(other.value)
    assert cells.variance(confusion, one) == pytest.approx(2 * cells.variance(2 * confusion, other))
    assert (confusion * full_gradient(one)).sum((-2, -1)) == pytest.approx(np.zeros(5), abs=1e-12)


@pytest.mark.parametrize("number", NUMBERS)
def test_the_variance_is_the_sum_over_the_cells(number: cells.Number) -> None:
    confusion = np.random.default_rng(2).integers(0, 30, (3, 5, 5)).astype(float)
    found = number(confusion)
    expected = (confusion * full_gradient(found) ** 2).sum((-2, -1))
    assert cells.variance(confusion, found) == pytest.approx(expected)


@pytest.mark.parametrize("number", NUMBERS)
def test_an_interval_of_few_or_perfect_rows_has_a_length(number: cells.Number) -> None:
    least = -1 if number in (cells.matthews, cells.kappa) else 0
    for confusion in (np.eye(3), 100 * np.eye(3), np.diag([1.0, 0, 0]), 5 * np.ones((3, 3))):
        value = number(confusion).value
        low, high = cells.interval(confusion, number, value, least=least)
        assert least <= low <= value + 1e-9
        assert value - 1e-9 <= high <= 1
        assert high - low > 0.005
    few = cells.interval(np.eye(3), number, np.array(1.0), least=least)
    many = cells.interval(100 * np.eye(3), number, np.array(1.0), least=least)
    assert few[0] < 0.7 < many[0]
