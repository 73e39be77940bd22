"""Sums as bytes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.profiles.packing import packed, unpacked

SUMS = st.lists(
    st.one_of(
        st.just(0.0),
        st.integers(-(2**31) - 1, 2**31 + 1).map(float),
        st.floats(allow_nan=False),
        st.sampled_from([2.0**31, -(2.0**31), 2.0**53, 0.5, -0.5, 5e-324, np.inf]),
    ),
    max_size=100,
).map(np.array)


@given(sums=SUMS)
def test_packed_sums_come_back_as_they_were(sums: np.ndarray) -> None:
    np.testing.assert_array_equal(unpacked(packed(sums)), sums)


def test_counts_and_zeros_take_little() -> None:
    sums = np.concatenate([np.zeros(900), np.arange(1.0, 101.0)])
    assert len(packed(sums)) < 0.1 * sums.nbytes


def test_bytes_that_end_early_or_late_are_refused() -> None:
    for sums in ([1.0, 0.5, 0.0, 7.0], [0.5, 0.25, 0.75], [3.0, 4.0, 5.0], []):
        whole = packed(np.array(sums, np.float64))
        for length in range(len(whole)):
            with pytest.raises(ValueError, match="packed sums"):
                unpacked(whole[:length])
        with pytest.raises(ValueError, match="packed sums"):
            unpacked(whole + bytes(8))
