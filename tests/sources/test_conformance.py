"""What every source keeps: each row once, whatever happens between two batches."""

import random
from contextlib import closing

import pytest
from tests.sources.worlds import BATCH, World, numbers

from tocsin.sources import Batch


def read(world: World, position: str = "", most: int | None = None) -> list[Batch]:
    """The batches behind a position, of a source that is made anew; or some of them."""
    found: list[Batch] = []
    with closing(world.source()) as source:
        for batch in source.batches(position):
            found.append(batch)
            source.stored(batch.position)
            if len(found) == most:
                break
    return found


def rows(batches: list[Batch]) -> list[int]:
    return [n for batch in batches for n in numbers(batch)]


def test_every_row_is_read_once(world: World) -> None:
    for first, last in ((0, 23), (23, 24), (24, 60)):
        world.add(first, last)
    assert sorted(rows(read(world))) == list(range(60))


def test_a_source_without_rows_has_no_batches(world: World) -> None:
    assert read(world) == []


def test_reading_from_any_position_gives_exactly_the_rest(world: World) -> None:
    world.add(0, 20)
    world.add(20, 45)
    whole = read(world)
    assert len(whole) > 1
    for k, batch in enumerate(whole):
        assert sorted(rows(read(world, batch.position))) == sorted(rows(whole[k + 1 :]))


def test_rows_that_come_later_are_found_the_next_time(world: World) -> None:
    world.add(0, 10)
    position = read(world)[-1].position
    assert read(world, position) == []
    world.add(10, 31)
    batches = read(world, position)
    assert sorted(rows(batches)) == list(range(10, 31))
    assert read(world, batches[-1].position) == []


@pytest.mark.parametrize("seed", range(3))
def test_rows_are_read_once_over_any_crashes_and_additions(world: World, seed: int) -> None:
    chance = random.Random(seed)
    position, seen, added = "", [], 0
    for _ in range(6):
        more = chance.choice([0, 1, BATCH, 2 * BATCH, 30])
        world.add(added, added + more)
        added += more
        batches = read(world, position, most=chance.choice([1, 2, 3]))
        # A crash before the answer: the last batch was read and is not stored.
        kept = batches[:-1] if chance.random() < 0.3 else batches
        seen += rows(kept)
        position = kept[-1].position if kept else position
    seen += rows(read(world, position))
    assert sorted(seen) == list(range(added))


def test_ids_differ_and_are_the_same_whenever_rows_are_read(world: World) -> None:
    world.add(0, 40)

    def ids() -> dict[int, str]:
        pairs = [zip(numbers(b), b.ids, strict=True) for b in read(world)]
        return {n: one for part in pairs for n, one in part}

    first = ids()
    assert first == ids()
    assert len(set(first.values())) == 40
    assert max(map(len, first.values())) <= 128


def test_progress_ends_where_it_said(world: World) -> None:
    world.add(0, 40)
    batches = read(world)
    assert [b.done for b in batches] == sorted(b.done for b in batches)
    last = batches[-1]
    assert last.total is None or 0 < last.done <= last.total
