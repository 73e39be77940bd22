"""Alerts over any history: late truth, revisions, restarts and changed rules."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.world import monitor_document, reference

from tocsin.app import App, opened
from tocsin.declared import Monitor, parse_monitor
from tocsin.records import alerts, evaluations, models
from tocsin.records.alerts import Episode
from tocsin.records.evaluation import Evaluation
from tocsin.records.models import ModelRecord
from tocsin.records.tables import news
from tocsin.rules import History, State
from tocsin.service.alert import Alerting
from tocsin.service.notify import Notify
from tocsin.settings import Settings
from tocsin.values import HOUR, Bounded, Window

RULE: dict[str, Any] = {
    "alert": "Low",
    "expr": {"metric": "accuracy_score", "window": "1h", "op": "<", "value": 0.7, "clear": 0.8},
    "confidence": "none",
}
VALUES = {"b": 0.5, "h": 0.75, "c": 0.9}
FIRST = 1_000 * HOUR


@dataclass
class Watched:
    """A model whose windows say what they are told to say.

    latest: the letter of each window, as it was told last.
    """

    app: App
    monitor: Monitor
    latest: dict[int, str] = field(default_factory=dict)
    revisions: dict[int, int] = field(default_factory=dict)

    @classmethod
    def of(cls, app: App, *rules: dict[str, Any]) -> "Watched":
        document = monitor_document(windows=["1h"], rules=list(rules))
        app.register.add("late", document, reference(500))
        return cls(app, parse_monitor("late", document))

    def record(self) -> ModelRecord:
        with self.app.records.read() as connection:
            return models.model_named(connection, "late")

    def see(self, *told: tuple[int, str], crash: bool = False) -> None:
        """Windows by number with their letters are evaluated, or revised, in one step.

        crash: nothing of it becomes durable, and it is done again.
        """
        found = [self._evaluation(number, letter) for number, letter in sorted(dict(told).items())]
        if crash:
            with suppress(_CrashError), self.app.records.write() as connection:
                self._step(connection, found)
                raise _CrashError
        with self.app.records.write() as connection:
            self._step(connection, found)
        for number, letter in dict(told).items():
            self.latest[number] = letter

    def _step(self, connection: Any, found: Sequence[Evaluation]) -> None:
        record = models.model_named(connection, "late")
        evaluations.append(connection, record.id, found)
        # As after a restart: nothing is remembered but what is stored.
        alerting = Alerting(Notify(self.app.records, lambda: 1, "http://tocsin.test"))
        spec = self.monitor.windows[0]
        alerting.step(connection, record, self.monitor, {spec: found}, now=1)

    def _evaluation(self, number: int, letter: str) -> Evaluation:
        revision = self.revisions[number] = self.revisions.get(number, 0) + 1
        end = FIRST + number * HOUR
        # Rows without profiles have no causes; labels are missing where the letter says so.
        measure = Bounded(VALUES.get(letter, 0.9), n=100)
        return Evaluation(
            window=Window(end - HOUR, end),
            revision=revision,
            rows=0 if letter == "n" else 100,
            labelled=0 if letter in "ln" else 100,
            versions={"1": 100},
            measures={"accuracy_score": measure},
            shifts={},
            delays=(),
            plan="",
            known_offset=0,
            known_at=0,
        )

    def episodes(self) -> list[Episode]:
        with self.app.records.read() as connection:
            return alerts.episodes_since(connection, self.record().id, 0)

    def told(self) -> list[tuple[str, str]]:
        """(episode, event) of all news that is to be told, in its order."""
        with self.app.records.read() as connection:
            rows = connection.execute(news.select().order_by(news.c.id)).all()
        return [(row.episode_id, row.event) for row in rows]

    def events(self) -> list[str]:
        return [event for _, event in self.told()]

    def runs(self) -> list[tuple[int, int | None]]:
        """(fired, resolved) of the episodes that were not taken back, by number of the window."""
        return [
            (
                (e.fired - FIRST) // HOUR,
                None if e.resolved is None else (e.resolved - FIRST) // HOUR,
            )
            for e in self.episodes()
            if not e.retracted
        ]


class _CrashError(Exception):
    """The process dies before anything is durable."""


@pytest.fixture
def watched(app: App) -> Watched:
    return Watched.of(app, RULE)


def text(letters: str) -> list[tuple[int, str]]:
    return list(enumerate(letters))


def test_labels_that_come_in_their_time_are_not_late(watched: Watched) -> None:
    watched.see(*text("cclll"))
    watched.see((2, "b"), (3, "c"))
    (episode,) = watched.episodes()
    assert not episode.late
    assert watched.events() == ["fired", "resolved"]


def test_a_correction_that_shows_a_breach_in_the_newest_window_rings_late(
    watched: Watched,
) -> None:
    watched.see(*text("ccc"))
    watched.see((2, "b"))
    (episode,) = watched.episodes()
    assert (episode.late, watched.events()) == (True, ["fired"])


def test_a_correction_in_an_old_window_is_on_record_and_pages_nobody(watched: Watched) -> None:
    watched.see(*text("ccccc"))
    watched.see((1, "b"))
    assert watched.runs() == [(1, 2)]
    assert watched.events() == []
    (incident,) = watched.app.read.incidents()
    assert incident.resolved == FIRST + 2 * HOUR


def test_a_correction_that_takes_the_breach_of_an_open_alert_back_resolves_it(
    watched: Watched,
) -> None:
    watched.see(*text("ccb"))
    watched.see((2, "c"))
    (episode,) = watched.episodes()
    assert (episode.retracted, episode.resolved is not None) == (True, True)
    assert watched.events() == ["fired", "resolved"]
    detail = watched.app.read.incident(episode.incident_id)
    assert detail is not None
    assert "no breach any more" in " ".join(entry.text for entry in detail.timeline)


def test_a_correction_that_takes_an_old_alert_back_marks_it_and_pages_nobody(
    watched: Watched,
) -> None:
    watched.see(*text("cb"))
    watched.see((2, "c"), (3, "c"))
    assert watched.events() == ["fired", "resolved"]
    watched.see((1, "c"))
    (episode,) = watched.episodes()
    assert episode.retracted
    assert watched.events() == ["fired", "resolved"]
    watched.see((1, "b"))
    assert watched.runs() == [(1, 2)]
    assert watched.events() == ["fired", "resolved"]


def test_a_correction_inside_a_run_parts_it_and_pages_nobody_again(watched: Watched) -> None:
    watched.see(*text("cbbbbb"))
    watched.see((3, "c"))
    assert watched.runs() == [(1, 3), (4, None)]
    assert watched.events() == ["fired"]
    watched.see((6, "c"))
    assert watched.runs() == [(1, 3), (4, 6)]
    assert watched.events() == ["fired", "resolved"]


def test_a_run_that_goes_on_after_all_rings_again(watched: Watched) -> None:
    watched.see(*text("cbc"))
    watched.see((2, "b"))
    assert watched.runs() == [(1, 2), (1, None)]
    assert [e.late for e in watched.episodes()] == [False, True]
    assert watched.events() == ["fired", "resolved", "fired"]


def test_of_windows_that_were_missed_only_the_newest_are_told(watched: Watched) -> None:
    watched.see(*text("bc" + "c" * 60 + "bc" + "c" * 20 + "b"))
    assert watched.runs() == [(0, 1), (62, 63), (84, None)]
    fired = [episode for episode, event in watched.told() if event == "fired"]
    assert fired == [e.id for e in watched.episodes()[1:]]


@pytest.mark.parametrize(
    ("policy", "open_", "instances"),
    [
        ("keep_last", [False], [""]),
        ("alerting", [True], [""]),
        ("ok", [False], [""]),
        ("no_data", [False, True], ["", "no_rows"]),
    ],
)
def test_rules_say_what_windows_without_rows_mean(
    app: App, policy: str, open_: list[bool], instances: list[str]
) -> None:
    watched = Watched.of(app, RULE | {"no_data": policy})
    watched.see(*text("cbc"))
    watched.see((3, "n"), (4, "n"))
    found = [e for e in watched.episodes() if e.resolved is None]
    assert [bool(found)] == open_[-1:]
    if policy == "no_data":
        assert found[0].instance == "no_rows"
        assert {e.instance for e in watched.episodes()} == set(instances)
        watched.see((5, "c"))
        assert all(e.resolved is not None for e in watched.episodes())


def test_an_alert_whose_rule_is_removed_ends_and_says_so(watched: Watched) -> None:
    watched.see(*text("cb"))
    watched.monitor = replace(watched.monitor, rules=())
    watched.see((2, "b"))
    (episode,) = watched.episodes()
    assert episode.resolved is not None
    detail = watched.app.read.incident(episode.incident_id)
    assert detail is not None
    assert "its rule was removed" in " ".join(entry.text for entry in detail.timeline)


def test_windows_of_another_step_go_on_from_where_things_stand(watched: Watched) -> None:
    watched.see(*text("cb"))
    with watched.app.records.write() as connection:
        record = models.model_named(connection, "late")
        ((key, history),) = alerts.tracked(connection, record.id).items()
        other = replace(history, every=2 * HOUR)
        alerts.save_tracked(connection, record.id, *key, other, State())
    watched.see((2, "b"))
    assert watched.runs() == [(1, None)]
    watched.see((3, "c"))
    assert watched.runs() == [(1, 3)]
    assert watched.events() == ["fired", "resolved"]


LETTERS = st.sampled_from("bbbcchln")
STEPS = st.lists(
    st.tuples(
        # Windows that are new, and windows of before with another letter.
        st.integers(0, 3),
        st.lists(LETTERS, min_size=3, max_size=3),
        st.lists(st.tuples(st.integers(1, 12), LETTERS), max_size=3),
        st.booleans(),
    ),
    min_size=1,
    max_size=8,
)


@settings(max_examples=40, deadline=None)
@given(STEPS, st.integers(1, 3), st.integers(1, 2))
def test_stored_episodes_are_what_follows_from_the_newest_of_every_window(
    steps: list[tuple[int, list[str], list[tuple[int, str]], bool]], patience: int, keep: int
) -> None:
    with (
        TemporaryDirectory() as folder,
        opened(Settings(Path(folder), "127.0.0.1", 1, "http://tocsin.test", None)) as app,
    ):
        watched = Watched.of(app, RULE | {"for": patience, "keep_firing_for": keep})
        newest = 0
        for count, letters, revised, crash in steps:
            told = {max(newest - back, 0): letter for back, letter in revised if newest}
            told |= {newest + i: letters[i] for i in range(count)}
            newest += count
            if told:
                watched.see(*told.items(), crash=crash)
                _check(watched)


def _check(watched: Watched) -> None:
    """What holds whatever happened."""
    count = max(watched.latest) + 1
    letters = "".join(watched.latest.get(i, ".") for i in range(count))
    (rule,) = watched.monitor.rules
    _, spans = History(State(), FIRST, HOUR, letters).fold(rule)
    episodes = watched.episodes()
    standing = [e for e in episodes if not e.retracted]
    # Every run has its episode, every episode its run, and at most one is open.
    for span in spans:
        matching = [e for e in standing if span.overlaps(e.started, e.resolved)]
        assert matching
        assert any(e.resolved is None for e in matching) == (span.resolved is None)
    for episode in standing:
        assert any(span.overlaps(episode.started, episode.resolved) for span in spans)
    assert sum(e.resolved is None for e in episodes) <= 1
    # Who is told that it is over was told that it fired, once, and before; nobody is left alone.
    told = watched.told()
    assert len(set(told)) == len(told)
    for episode in episodes:
        events = [event for of, event in told if of == episode.id and event != "flapping"]
        assert events in ([], ["fired"], ["fired", "resolved"])
        if episode.resolved is None:
            assert events == ["fired"]
        elif events:
            assert events == ["fired", "resolved"]
    # An incident is open as long as one of its alerts is.
    for incident in watched.app.read.incidents():
        mine = [e for e in episodes if e.incident_id == incident.id]
        assert mine
        assert (incident.resolved is None) == any(e.resolved is None for e in mine)
