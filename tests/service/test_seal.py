"""When rows go from the inbox to the lake: when there are enough, or they waited long enough."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from tests.world import Feed, monitor_document, prediction, reference

from tocsin.app import opened
from tocsin.errors import StartupError
from tocsin.settings import Settings
from tocsin.settings import settings as settings_of
from tocsin.values import SECOND


@dataclass
class Clock:
    now: int = 1_800_000_000 * SECOND

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def feed(settings: Settings, clock: Clock) -> Iterator[Feed]:
    with opened(replace(settings, seal_rows=5, seal_age=2 * SECOND), clock) as app:
        app.register.add("late", monitor_document(), reference(400))
        yield Feed(app, "late")


def commits(feed: Feed) -> int:
    return len(list((feed.app.settings.data / "lake").rglob("_delta_log/*.json")))


def test_few_rows_wait_for_others_and_are_sealed_together(feed: Feed, clock: Clock) -> None:
    for i in range(4):
        feed.predictions(prediction(f"p{i}"))
        feed.work()
    assert (feed.profiles(), commits(feed)) == ({}, 0)

    clock.now += 2 * SECOND - 1
    feed.work()
    assert commits(feed) == 0
    clock.now += 1
    feed.work()
    assert (feed.total("n"), commits(feed)) == (4, 1)


def test_the_oldest_row_sets_the_time(feed: Feed, clock: Clock) -> None:
    feed.predictions(prediction("old"))
    clock.now += 2 * SECOND
    feed.predictions(prediction("new"))
    feed.work()

    assert feed.total("n") == 2


def test_many_rows_do_not_wait(feed: Feed) -> None:
    feed.predictions(*(prediction(f"p{i}") for i in range(5)))
    feed.work()

    assert feed.total("n") == 5


def test_rows_of_one_model_do_not_make_those_of_another_hurry(feed: Feed, clock: Clock) -> None:
    feed.app.register.add("other", monitor_document(), reference(400))
    other = Feed(feed.app, "other")
    feed.predictions(*(prediction(f"p{i}") for i in range(5)))
    other.predictions(prediction("a"))
    feed.work()
    assert (feed.total("n"), other.profiles()) == (5, {})

    clock.now += 2 * SECOND
    feed.work()
    assert other.total("n") == 1


def test_rows_do_not_wait_for_a_clock_that_was_set_back(feed: Feed, clock: Clock) -> None:
    feed.predictions(prediction("a"))
    clock.now -= 3_600 * SECOND
    feed.work()

    assert feed.total("n") == 1


def test_the_environment_says_how_long_rows_wait(tmp_path: Path) -> None:
    plain = settings_of({}, data=tmp_path)
    assert (plain.seal_rows, plain.seal_age) == (50_000, SECOND)
    told = settings_of({"TOCSIN_SEAL_ROWS": "7", "TOCSIN_SEAL_AGE": "3m"}, data=tmp_path)
    assert (told.seal_rows, told.seal_age) == (7, 180 * SECOND)


@pytest.mark.parametrize(
    ("name", "value"),
    [("TOCSIN_SEAL_ROWS", "0"), ("TOCSIN_SEAL_ROWS", "many"), ("TOCSIN_SEAL_AGE", "1.5")],
)
def test_what_cannot_be_waited_for_is_refused(name: str, value: str) -> None:
    with pytest.raises(StartupError, match=name):
        settings_of({name: value})
