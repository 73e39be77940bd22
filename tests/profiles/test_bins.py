"""Bins of numbers, scores and categories, against whoever looks at one value after the other."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.profiles.synthetic import category, numeric

from tocsin.profiles import NO_NULLS, CategoryBins, NumericBins, NumericColumn, TextLevels, kernel
from tocsin.profiles.bins import padded, quantile_edges, score_bins, top_levels
from tocsin.profiles.columns import CategoryColumn, Levels

quickly = settings(deadline=None)
finite = st.floats(allow_nan=False, allow_infinity=False)
odd = st.sampled_from([math.nan, math.inf, -math.inf, 0.0, -0.0, 1e308, -1e308, 5e-324])
edge_lists = st.lists(finite, min_size=2, max_size=70).map(sorted)
SIZES = (2, 3, 15, 16, 17, 30, 31, 32, 33, 34, 63, 64, 65, 254, 255, 256, 257, 300, 511, 512, 513)


def named(edges: list[float], value: float | None) -> int | str:
    """The regular bin of a value, or the name of an explicit one."""
    if value is None:
        return "null"
    if not math.isfinite(value):
        return "non-finite"
    if value < edges[0]:
        return "below"
    if value > edges[-1]:
        return "above"
    inside = [i for i in range(len(edges) - 1) if edges[i] <= value < edges[i + 1]]
    return inside[0] if inside else len(edges) - 2


def place(bins: NumericBins, value: float | None) -> int:
    found = named(list(bins.edges), value)
    return found if isinstance(found, int) else bins.labels.index(found)


@quickly
@given(edge_lists, st.lists(st.one_of(st.none(), st.floats(), odd), max_size=40), st.data())
def test_a_number_is_in_the_bin_that_a_search_by_hand_finds(edges, values, data) -> None:
    values = [*values, *data.draw(st.lists(st.sampled_from(edges), max_size=10))]
    bins = NumericBins("x", tuple(edges))
    found, summed = bins.of(numeric(values))
    assert found.tolist() == [place(bins, value) for value in values]
    known = [0.0 if v is None or not abs(v) <= kernel.LARGEST else v for v in values]
    assert summed.tolist() == known


@pytest.mark.parametrize("size", SIZES)
def test_any_number_of_edges_can_be_searched(size: int) -> None:
    rng = np.random.default_rng(size)
    edges = np.sort(rng.normal(size=size))
    between = (edges[1:] + edges[:-1]) / 2
    beside = [np.nextafter(edges, -np.inf), np.nextafter(edges, np.inf)]
    values = np.concatenate([edges, between, *beside, [math.inf, -math.inf, math.nan, -9, 9]])
    bins = NumericBins("x", tuple(edges.tolist()))
    found, _ = bins.of(NumericColumn(values, NO_NULLS))
    assert found.tolist() == [place(bins, value) for value in values.tolist()]
    assert found.dtype == np.int32


@pytest.mark.parametrize("size", SIZES)
def test_searching_counts_the_edges_up_to_each_value(size: int) -> None:
    edges = np.arange(size, dtype=float)
    values = np.concatenate([edges, edges - 0.5, edges + 0.5, [math.nan, -math.inf]])
    full = padded(edges)
    assert len(full) > size
    assert len(full) & (len(full) - 1) == 0
    found = kernel.searched(values, full)
    np.testing.assert_array_equal(found[:-2], np.searchsorted(edges, values[:-2], side="right"))
    assert found[-2:].tolist() == [0, 0]


@pytest.mark.parametrize("count", [2, 5, 40])
def test_edges_that_are_all_equal_hold_that_one_number(count: int) -> None:
    bins = NumericBins("x", (3.0,) * count)
    values = [3.0, np.nextafter(3, 4), np.nextafter(3, 2), math.inf, None]
    found, _ = bins.of(numeric(values))
    last = bins.regular - 1
    assert [bins.labels[i] for i in found[1:]] == ["above", "below", "non-finite", "null"]
    assert found[0] == last


def test_a_null_mask_of_a_column_wins_over_what_stands_there() -> None:
    column = NumericColumn(np.array([math.inf, math.nan, 0.5]), np.array([True, False, True]))
    bins = NumericBins("x", (0.0, 1.0))
    assert [bins.labels[i] for i in bins.of(column)[0]] == ["null", "non-finite", "null"]


@quickly
@given(st.lists(st.floats(0, 1), max_size=300), st.lists(st.floats(0, 1), max_size=50))
def test_a_score_is_in_the_bin_that_a_search_by_hand_finds(inner, scores) -> None:
    edges = sorted({0.0, 1.0, *inner})
    scores = [*scores, *edges]
    found = score_bins(np.array([*scores, math.nan]), np.array(edges)).tolist()
    assert found == [*(named(edges, score) for score in scores), -1]


def test_scores_of_a_matrix_are_searched_column_by_column() -> None:
    matrix = np.array([[0.1, 0.9], [0.6, 0.4], [math.nan, 1.0]])
    edges = np.array([0.0, 0.5, 1.0])
    assert score_bins(matrix[:, 0], edges).tolist() == [0, 1, -1]
    assert score_bins(matrix[:, 1], edges).tolist() == [1, 0, 1]


@quickly
@given(st.lists(finite, min_size=1, max_size=50), st.integers(1, 70))
def test_quantile_edges_span_the_values_and_never_fall(values, quantiles) -> None:
    edges = quantile_edges(np.array(values), quantiles)
    assert 2 <= len(edges) <= quantiles + 1 or len(set(values)) == 1
    assert np.isfinite(edges).all()
    assert (np.diff(edges) >= 0).all()
    assert edges[0] == pytest.approx(min(values))
    assert edges[-1] == pytest.approx(max(values))


def test_of_no_values_the_edges_are_zero() -> None:
    assert quantile_edges(np.empty(0), 20).tolist() == [0.0, 0.0]


words = st.sampled_from(["a", "b", "c", "d", "e", "other", "unseen", "null", ""])


@quickly
@given(
    st.lists(words, unique=True), st.lists(words, unique=True), st.booleans(),
    st.lists(st.one_of(st.none(), words), max_size=30),
)  # fmt: skip
def test_a_category_is_in_the_bin_that_a_search_by_hand_finds(top, rest, known, values) -> None:
    others = tuple(word for word in rest if word not in top) if known else ()
    bins = CategoryBins("x", tuple(top), others, known)
    column = category(values)

    def by_hand(value: str | None) -> int:
        if value is None:
            return len(top) + 2
        if value in top:
            return top.index(value)
        return len(top) if value in others or not known else len(top) + 1

    found, summed = bins.of(column, bins.table(column.levels))
    assert found.tolist() == [by_hand(value) for value in values]
    assert not summed.any()


@quickly
@given(st.lists(st.one_of(st.none(), words), max_size=40), st.integers(1, 6))
def test_the_top_levels_are_the_most_frequent_and_among_equals_the_first_by_name(
    values: list[str | None], most: int
) -> None:
    known = [value for value in values if value is not None]
    ranked = sorted(set(known), key=lambda word: (-known.count(word), word))
    found, complete = top_levels(category(values), most)
    assert found == ranked[:most]
    assert complete == (len(ranked) <= most)


def test_levels_that_no_row_has_are_not_among_the_top() -> None:
    column = CategoryColumn(np.array([1, 1, -1], np.int32), TextLevels(("a", "b", "c")))
    assert top_levels(column, 5) == (["b"], True)


def test_looking_levels_up_makes_text_of_none_but_the_wanted() -> None:
    class Counted:
        """Levels that count how many were made into text."""

        texts_made = 0

        def __len__(self) -> int:
            return 100_000

        def places(self, known) -> np.ndarray:
            found = np.full(len(self), -1, np.int32)
            for i, text in enumerate(known):
                found[int(text)] = i
            return found

        def texts(self, which) -> list[str]:
            self.texts_made += len(which)
            return [str(i) for i in which]

    levels: Levels = Counted()
    codes = np.concatenate([np.arange(100_000), np.arange(10)]).astype(np.int32)
    column = CategoryColumn(codes, levels)
    found, complete = top_levels(column, 10)
    assert sorted(found) == [str(i) for i in range(10)]
    assert not complete
    assert levels.texts_made == 10
    bins = CategoryBins("x", tuple(found), (), all_known=False)
    at, _ = bins.of(column, bins.table(levels))
    assert (at < 10).sum() == 20
    assert levels.texts_made == 10


@pytest.mark.parametrize(
    ("bins", "column", "message"),
    [
        (NumericBins("age", (0.0, 1.0)), category(["a"]), "'age' is numeric, but its rows are cat"),
        (CategoryBins("city", ("a",)), numeric([1.0]), "'city' is categorical, but its rows are n"),
    ],
)
def test_a_column_of_the_wrong_kind_is_named(bins, column, message) -> None:
    more = (np.zeros(1, np.int32),) if isinstance(bins, CategoryBins) else ()
    with pytest.raises(TypeError, match=message):
        bins.of(column, *more)


def test_each_bin_has_a_name() -> None:
    assert NumericBins("x", (0.0, 0.5, 12345.678)).labels == (
        "0 to 0.5", "0.5 to 1.235e+04", "below", "above", "non-finite", "null",
    )  # fmt: skip
    assert CategoryBins("x", ("a",)).labels == ("a", "other", "unseen", "null")
