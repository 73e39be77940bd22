"""Each alert keeps the causes of its own windows, through all that happens to its incident."""

from collections.abc import Sequence
from typing import Any

import pytest
from tests.service.test_episodes import FIRST, RULE, Watched
from tests.world import Feed, monitor_document, reference

from tocsin.app import App
from tocsin.records.alerts import Episode, Incident
from tocsin.records.evaluation import Evaluation
from tocsin.service.message import notification
from tocsin.values import HOUR

QUALITY = {"alert": "Data", "expr": {"metric": "quality", "window": "1h"}}


class Found(Watched):
    """Windows in which something is found of columns too: number -> {instance: share}."""

    findings: dict[int, dict[str, float]]

    def see(self, *told: tuple[int, str], crash: bool = False, **shares: float) -> None:
        """As ever; shares: the nulls that are found in each of these windows, by column."""
        self.findings = {number: shares for number, _ in told}
        super().see(*told, crash=crash)

    def _evaluation(self, number: int, letter: str) -> Evaluation:
        found = super()._evaluation(number, letter)
        quality: dict[str, Any] = {
            "findings": [
                (
                    name,
                    "null_rate",
                    "violated",
                    share,
                    100,
                    0.01,
                    None,
                    f"`{name}` {share:.0%} null",
                )
                for name, share in self.findings[number].items()
            ]
        }
        return Evaluation(**{**found.__dict__, "quality": quality})

    def incident(self) -> Incident:
        (incident,) = self.app.read.incidents()
        return incident

    def timeline(self) -> list[str]:
        detail = self.app.read.incident(self.incident().id)
        assert detail is not None
        return [entry.text for entry in detail.timeline]


@pytest.fixture
def found(app: App) -> Found:
    return Found.of(app, RULE, QUALITY)  # type: ignore[return-value]


def sentences(of: Episode | Incident) -> list[str]:
    return [cause["sentence"] for cause in of.causes]


def number(of: Sequence[dict[str, Any]]) -> list[int]:
    """The windows that causes are from."""
    return [(cause["window_end"] - FIRST) // HOUR for cause in of]


def test_a_later_alert_takes_no_cause_from_an_open_incident(found: Found) -> None:
    found.see((0, "c"))
    found.see((1, "b"), distance=0.9)
    assert sentences(found.incident()) == ["`distance` 90% null"]
    found.see((60, "b"), carrier=0.05)
    low, first, second = found.episodes()
    assert [e.rule for e in (low, first, second)] == ["Low", "Data", "Data"]
    assert sentences(low) == sentences(first) == ["`distance` 90% null"]
    # Of its own window, and about the column that it is about.
    assert (second.instance, sentences(second)) == ("carrier/null_rate", ["`carrier` 5% null"])
    incident = found.incident()
    assert sentences(incident) == ["`distance` 90% null", "`carrier` 5% null"]
    assert number(incident.causes) == [1, 60]
    assert [cause["alert"] for cause in incident.causes] == ["Low", "Data"]
    assert (incident.window_end - FIRST) // HOUR == 1


def test_an_alert_tells_its_own_cause(found: Found) -> None:
    found.see((1, "b"), distance=0.9)
    found.see((60, "b"), carrier=0.05)
    for episode in found.episodes():
        for event in ("fired", "resolved"):
            told = notification(
                found.incident(), episode, event, window_end=episode.fired, base_url=""
            )
            column = "carrier" if episode.instance == "carrier/null_rate" else "distance"
            assert [cause["feature"] for cause in told["causes"]] == [column]


def test_an_alert_that_begins_long_after_is_named_by_the_incident(found: Found) -> None:
    found.see((1, "b"))
    before = found.incident().title
    found.see((9, "b"), carrier=0.05)
    assert found.incident().title == before
    found.see((60, "b"), distance=0.3)
    later = "; later: Nulls of distance beyond what is expected over 1h"
    assert found.incident().title == before + later


def test_a_later_window_of_an_alert_that_is_surer_is_taken_in(found: Found) -> None:
    found.see((1, "b"), distance=0.1)
    found.see((2, "b"), distance=0.8, carrier=0.2)
    low = found.episodes()[0]
    assert sentences(low) == ["`distance` 80% null", "`carrier` 20% null"]
    assert number(low.causes) == [2, 2]
    found.see((3, "b"), distance=0.3)
    assert sentences(found.episodes()[0]) == sentences(low)
    # The same suspect is no news.
    assert "More is known" not in " ".join(found.timeline())


def test_a_cause_that_is_found_late_is_on_the_timeline_of_its_alert(found: Found) -> None:
    found.see((1, "b"))
    found.see((2, "b"), distance=0.4)
    assert "More is known of why Low fired: `distance` 40% null" in found.timeline()


def test_the_timeline_is_in_the_order_of_what_happened(found: Found) -> None:
    found.see((5, "b"))
    found.see((3, "b"), (6, "b"))
    detail = found.app.read.incident(found.incident().id)
    assert detail is not None
    times = [entry.event_time for entry in detail.timeline]
    assert times == sorted(times)


def test_what_is_taken_back_explains_nothing(found: Found) -> None:
    found.see((1, "b"), distance=0.9)
    found.see((2, "b"), carrier=0.05)
    found.see((1, "b"), (2, "b"), carrier=0.05)
    (retracted,) = (e for e in found.episodes() if e.retracted)
    assert retracted.instance == "distance/null_rate"
    assert "carrier" in sentences(found.incident())[-1]


AUC_LOW = {
    "alert": "AucLow",
    "expr": {"metric": "roc_auc", "window": "24h", "op": "<", "value": 0.6, "clear": 0.65},
    "min_samples": 200,
}
DRIFT = {"alert": "Drift", "expr": {"metric": "drift", "window": "1h"}}


def test_a_flip_of_the_labels_stays_the_cause_when_a_feature_moves_later(app: App) -> None:
    app.register.add("late", monitor_document(rules=[AUC_LOW, DRIFT]), reference())
    feed = Feed(app, "late")
    feed.hours(0, 24 * 9, rows=40)
    feed.work()
    feed.hours(24 * 9, 24 * 11, rows=40, flip_labels=True)
    feed.work()
    feed.hours(24 * 11, 24 * 11 + 3, rows=40, flip_labels=True, distance_factor=0.5)
    feed.work()
    (incident,) = app.read.incidents()
    detail = app.read.incident(incident.id)
    assert detail is not None
    assert [c["kind"] for c in incident.causes][:1] == ["concept"]
    assert "distance" in [c["feature"] for c in incident.causes]
    assert incident.title.endswith("; later: distance has drifted over 1h")
    drift = next(e for e in detail.episodes if e.instance == "distance")
    assert drift.causes[0]["feature"] == "distance"
    assert "times what it was: a changed unit?" in drift.causes[0]["sentence"]
    low = next(e for e in detail.episodes if e.rule == "AucLow")
    assert low.causes[0]["kind"] == "concept"
    assert {cause["window_size"] for cause in low.causes} == {24 * HOUR}
