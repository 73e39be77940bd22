"""Whatever happens, in whatever order, and wherever it is cut off: who was told what holds true.

The reference is written plainly here: who is on the route, who is held back, and what was said.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from tests.service.alerts import Alarm, Clock, Said
from tests.world import monitor_document, reference

from tocsin.app import App, opened
from tocsin.records.tables import metadata
from tocsin.service.routing import Routings
from tocsin.service.silences import Silences
from tocsin.settings import Settings
from tocsin.values import HOUR, MINUTE, SECOND, from_datetime

START = from_datetime(datetime(2026, 1, 1, tzinfo=UTC))
MODELS = ("flights", "fraud")
KINDS = {"mail": "email", "oncall": "pagerduty", "log": "log", "new": "log"}
MUTED = (START + 10 * MINUTE, START + 40 * MINUTE)
BAD_DATA = {"category": "data_quality"}


@dataclass(frozen=True)
class Setup:
    """A routing, and what it means: who is told of labels, and how soon and often."""

    document: dict[str, Any]
    told: Callable[[dict[str, str], set[str]], set[str]]
    wait: int
    interval: int
    repeat: int
    muted: Callable[[dict[str, str], str], bool] = lambda *_: False


def _critical_to_oncall(labels: dict[str, str]) -> set[str]:
    """Critical ones go on to the next, which does not take those of fraud; others fall to mail."""
    if labels["severity"] != "critical":
        return {"mail"}
    return {"oncall"} if labels["model"] == "fraud" else {"oncall", "mail"}


SETUPS = [
    Setup({}, lambda _, receivers: receivers, 0, 5 * MINUTE, 12 * HOUR),
    Setup(
        {
            "route": {
                "receiver": "mail",
                "group_by": ["model"],
                "group_interval": "2m",
                "repeat_interval": "6m",
                "routes": [
                    {"matchers": ["severity=critical"], "receiver": "oncall", "continue": True},
                    {"matchers": ["model!=fraud"], "receiver": "mail"},
                ],
            }
        },
        lambda labels, _: _critical_to_oncall(labels),
        30 * SECOND,
        2 * MINUTE,
        6 * MINUTE,
    ),
    Setup(
        {
            "route": {
                "receiver": "log",
                "group_by": ["severity"],
                "group_wait": "1m",
                "group_interval": "1m",
                "repeat_interval": "5m",
                "mute_times": ["early"],
                "routes": [
                    {"matchers": ["alert=~Low|Bad"], "receiver": "mail", "continue": True},
                    {"matchers": ["alert=~Low|Bad"], "receiver": "log", "mute_times": []},
                ],
            },
            "mute_times": [
                {"name": "early", "intervals": [{"times": [{"start": "00:10", "end": "00:40"}]}]}
            ],
        },
        lambda labels, _: {"log"} if labels["alert"] == "Slow" else {"mail", "log"},
        MINUTE,
        MINUTE,
        5 * MINUTE,
        # The route of the log alone has no mute time, and does not take `Slow`.
        lambda labels, receiver: receiver == "mail" or labels["alert"] == "Slow",
    ),
]
RULES = {
    "Low": {},
    "Bad": BAD_DATA,
    "Slow": {"severity": "critical", "category": "operations"},
}


class CutOffError(Exception):
    """The process ends here."""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    folder = tmp_path_factory.mktemp("notify")
    with opened(Settings(folder, "127.0.0.1", 1, "http://tocsin.test", None)) as app:
        for model in MODELS:
            app.register.add(model, monitor_document(rules=[]), reference(300))
        yield app


def _emptied(app: App) -> None:
    keep = {"models", "given_ids", "counters", "audit"}
    with app.records.write() as connection:
        for table in reversed(metadata.sorted_tables):
            if table.name not in keep:
                connection.execute(table.delete())


class Telling(RuleBasedStateMachine):
    """News, clock steps, edits, silences and crashes; the invariants are looked at after each."""

    app: App

    @initialize()
    def begin(self) -> None:
        _emptied(self.app)
        self.clock = Clock(START)
        self.alarm = Alarm(self.app, self.clock)
        self.receivers = {"log", "mail", "oncall"}
        for name in self.receivers:
            self._add(name)
        self.setup = SETUPS[0]
        self.firing: dict[tuple[str, str], str] = {}
        self.labels: dict[str, dict[str, str]] = {}
        self.over: dict[str, int] = {}
        self.over_in: dict[str, int] = {}
        self.judged: dict[tuple[str, str], int] = {}
        self.silenced: list[tuple[int, str, int, int]] = []
        # Since when each receiver of the route could be told, as far as it was seen.
        self.could: dict[tuple[str, str], int] = {}
        self.said: list[Said] = []

    def _add(self, name: str) -> None:
        options = {"to": ["a@b.c", "d@b.c"]} if KINDS[name] == "email" else {}
        self.alarm.receiver(name, KINDS[name], **options)

    # What can happen.

    @rule(model=st.sampled_from(MODELS), name=st.sampled_from(list(RULES)))
    def fire(self, model: str, name: str) -> None:
        if (model, name) in self.firing:
            return
        labels = {"severity": "warning", "category": "performance", **RULES[name]}
        episode = self.alarm.fire(model, name, **labels)
        self.firing[model, name] = episode
        self.labels[episode] = {"alert": name, "model": model, **labels}
        self.judged[model, name] = self.alarm.windows.get(model, 0)

    @precondition(lambda self: self.firing)
    @rule(data=st.data())
    def resolve(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(sorted(self.firing)))
        episode = self.firing.pop(key)
        self.alarm.resolve(episode)
        self.over[episode] = self.clock.now
        self.over_in[episode] = self.alarm.windows.get(key[0], 0)

    @precondition(lambda self: self.firing)
    @rule(data=st.data())
    def change(self, data: st.DataObject) -> None:
        self.alarm.news(self.firing[data.draw(st.sampled_from(sorted(self.firing)))])

    @rule(model=st.sampled_from(MODELS))
    def evaluate(self, model: str) -> None:
        self.alarm.look(model)
        for known in self.judged:
            if known[0] == model:
                self.judged[known] = self.alarm.windows[model]

    @rule(chosen=st.sampled_from(SETUPS))
    def configure(self, chosen: Setup) -> None:
        Routings(self.app.records, self.clock).put(chosen.document, actor="ann")
        if chosen is not self.setup:
            self.setup = chosen
            self.could.clear()

    @rule()
    def add_receiver(self) -> None:
        if "new" not in self.receivers:
            self.receivers.add("new")
            self._add("new")

    @rule(model=st.sampled_from(MODELS), minutes=st.integers(1, 10))
    def silence(self, model: str, minutes: int) -> None:
        document = {"matchers": [f"model={model}"], "duration": f"{minutes}m", "comment": "why"}
        made = Silences(self.app.records, self.clock).add(document, actor="ann").silence
        self.silenced.append((made.id, model, made.start, made.end))

    @precondition(lambda self: self.silenced)
    @rule(data=st.data())
    def unsilence(self, data: st.DataObject) -> None:
        at = data.draw(st.integers(0, len(self.silenced) - 1))
        number, model, start, end = self.silenced[at]
        Silences(self.app.records, self.clock).expire(number, actor="ann")
        self.silenced[at] = (number, model, start, min(end, self.clock.now))

    @rule(seconds=st.sampled_from([1, 10, 30, 60, 150, 400]), cut=st.none() | st.integers(1, 40))
    def wait(self, seconds: int, cut: int | None) -> None:
        self.clock.now += seconds * SECOND
        if cut is not None:
            self._cut_off_after(cut)
        self.alarm.flush()
        self._read()

    def _cut_off_after(self, statements: int) -> None:
        """A step that ends with its process at some statement of the database, or its commit."""
        left = [statements]

        def count(*_: object) -> None:
            left[0] -= 1
            if left[0] <= 0:
                raise CutOffError

        engine = self.app.records._engine
        sa.event.listen(engine, "before_cursor_execute", count)
        sa.event.listen(engine, "commit", count)
        try:
            self.alarm.flush()
        except CutOffError:
            pass
        finally:
            sa.event.remove(engine, "before_cursor_execute", count)
            sa.event.remove(engine, "commit", count)

    # What has to be true.

    def _routed(self, episode: str) -> set[str]:
        return self.setup.told(self.labels[episode], self.receivers)

    def _held(self, episode: str, receiver: str) -> bool:
        labels, now = self.labels[episode], self.clock.now
        silenced = any(m == labels["model"] and a <= now < b for _, m, a, b in self.silenced)
        muted = self.setup.muted(labels, receiver) and MUTED[0] <= now < MUTED[1]
        return silenced or muted or self._inhibited(labels)

    def _inhibited(self, labels: dict[str, str]) -> bool:
        if labels["category"] != "performance":
            return False
        judged = self.judged[labels["model"], labels["alert"]]
        return any(
            other["model"] == labels["model"]
            and other["category"] == "data_quality"
            and self.over_in.get(episode, judged) >= judged
            for episode, other in self.labels.items()
        )

    def _read(self) -> None:
        """What this step said, each of which has to be allowed now."""
        new = self.alarm.said(after=self.said[-1].row if self.said else 0)
        for said in new:
            episode = said.alert["episode"]
            if said.alert["event"] == "fired":
                assert said.receiver in self._routed(episode)
                assert not self._held(episode, said.receiver)
            if said.alert["notice"] == "repeated":
                before = [
                    each.at
                    for each in self.said
                    if (each.receiver, each.alert["episode"]) == (said.receiver, episode)
                ]
                assert said.at - before[-1] >= self.setup.repeat
        self.said += new
        self._in_time()

    def _in_time(self) -> None:
        """All who could be told for long enough were told, that it fires and that it is over."""
        now, longest = self.clock.now, self.setup.wait + self.setup.interval
        told = {(s.alert["episode"], s.receiver, s.alert["event"]) for s in self.said}
        could = {
            (episode, receiver)
            for episode in self.firing.values()
            for receiver in self._routed(episode)
            if not self._held(episode, receiver)
        }
        self.could = {pair: self.could.get(pair, now) for pair in could}
        for pair, since in self.could.items():
            if now - since >= longest:
                assert (*pair, "fired") in told, (pair, (now - since) / SECOND)
        for episode, at in self.over.items():
            # At most what any of the routes waits: it may have left them all.
            if now - at >= 6 * MINUTE:
                fired = {r for e, r, event in told if e == episode and event == "fired"}
                assert fired == {r for e, r, event in told if e == episode and event == "resolved"}

    @invariant()
    def each_receiver_reads_a_story(self) -> None:
        stories: dict[tuple[str, str, str], list[Said]] = {}
        for said in getattr(self, "said", []):
            key = (said.receiver, said.target, said.alert["episode"])
            stories.setdefault(key, []).append(said)
        for story in stories.values():
            events = [said.alert["event"] for said in story]
            assert events[0] == "fired"
            assert "resolved" not in events[:-1]
            # The outbox keeps the order of one key only.
            assert len({said.order_key for said in story}) == 1
            assert len({said.message_id for said in story}) == len(story)
            for after in story[1:]:
                assert after.what != ("fired", "new")


def test_nobody_is_told_too_late_too_often_or_in_the_wrong_order(world: App) -> None:
    class OfThisWorld(Telling):
        app = world

    OfThisWorld.TestCase.settings = settings(
        max_examples=40,
        stateful_step_count=40,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    run = OfThisWorld.TestCase("runTest")
    run.runTest()
