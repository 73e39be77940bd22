"""Identifiers that sort by time."""

import os
import time
from itertools import pairwise
from uuid import RFC_4122, UUID

import pytest

from tocsin.ids import MAX_ID_LENGTH, uuid7, uuid7s


def milliseconds(identifier: str) -> int:
    return UUID(identifier).int >> 80


def test_an_id_is_a_uuid_of_version_7() -> None:
    for identifier in (uuid7() for _ in range(1_000)):
        assert UUID(identifier).version == 7
        assert UUID(identifier).variant == RFC_4122
        assert str(UUID(identifier)) == identifier
        assert len(identifier) <= MAX_ID_LENGTH


def test_ids_do_not_repeat() -> None:
    assert len({uuid7() for _ in range(10_000)}) == 10_000


def test_an_id_begins_with_the_time_it_was_made() -> None:
    before = time.time_ns() // 1_000_000
    made = milliseconds(uuid7())
    assert before <= made <= time.time_ns() // 1_000_000


def test_ids_of_later_milliseconds_sort_later_as_text() -> None:
    made = [uuid7() for _ in range(1_000)]
    # Text sorts by its first twelve digits first: those are the time.
    by_time = sorted(made, key=milliseconds)
    assert [milliseconds(one) for one in sorted(made)] == [milliseconds(one) for one in by_time]
    assert all(milliseconds(a) <= milliseconds(b) for a, b in pairwise(made))


def test_all_the_other_bits_are_random() -> None:
    ones = [0] * 128
    for _ in range(2_000):
        number = UUID(uuid7()).int
        for bit in range(80):
            ones[bit] += number >> bit & 1
    fixed = {bit for bit in range(80) if ones[bit] in (0, 2_000)}
    # The version takes bits 76 to 79, the variant 62 and 63.
    assert fixed == {62, 63, 76, 77, 78, 79}
    assert all(800 < ones[bit] < 1_200 for bit in set(range(80)) - fixed)


def test_many_ids_at_once_are_ids_like_any_other() -> None:
    made = uuid7s(1_000)
    assert len(set(made)) == 1_000
    assert {UUID(one).version for one in made} == {7}
    assert uuid7s(0) == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_a_forked_child_makes_other_ids_than_its_parent() -> None:
    uuid7()
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writer, "".join(uuid7() for _ in range(50)).encode())
        os._exit(0)
    os.waitpid(child, 0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        text = pipe.read()
    theirs = {text[start : start + 36][-20:] for start in range(0, len(text), 36)}
    assert len(theirs) == 50
    assert theirs.isdisjoint(uuid7()[-20:] for _ in range(300))
