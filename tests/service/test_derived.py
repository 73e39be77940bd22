"""Rules on parts of the rows, on differences, and on several metrics at once."""

from dataclasses import dataclass, field
from typing import Any

import pytest
from starlette.testclient import TestClient
from tests.world import HOUR, START, Feed, flights, monitor_document, outcome, prediction, reference

from tocsin.api.server import application
from tocsin.app import App
from tocsin.errors import SchemaError
from tocsin.records import evaluations, models
from tocsin.records.alerts import Episode
from tocsin.values import Bounded, Undefined, from_datetime


def rule(name: str = "Low", op: str = "<", value: float = 0.5, **expr: Any) -> dict[str, Any]:
    return {
        "alert": name,
        "expr": {"window": "1h", "op": op, "value": value} | expr,
        "confidence": "none",
    }


@dataclass
class Made(Feed):
    """Gathers rows, to send them at once."""

    predicted: list[dict[str, Any]] = field(default_factory=list)
    told: list[dict[str, Any]] = field(default_factory=list)

    def make(
        self, hour: int, n: int = 300, *, flip: str = "", version: str = "1", upset: float = 0.0
    ) -> None:
        """Labelled flights of an hour; `flip` names the carrier whose outcomes are otherwise."""
        made = flights(n, seed=hour)
        for i in range(n):
            carrier, late = str(made.carrier[i]), int(made.late[i])
            name, at = f"{hour}-{version}-{i}", START + HOUR * hour + HOUR * i / n
            self.predicted.append(
                prediction(
                    name,
                    timestamp=at,
                    carrier=carrier,
                    distance=float(made.distance[i]),
                    p=abs(upset - float(made.score[i])),
                    model_version=version,
                )
            )
            self.told.append(outcome(name, late ^ (carrier == flip), timestamp=at))

    def close(self, hour: int) -> None:
        """Send what was made, and a row of a later hour."""
        end = prediction(f"end-{hour}", timestamp=START + HOUR * (hour + 0.5))
        self.predictions(*self.predicted, end)
        self.outcomes(*self.told)
        self.work()


def watched(app: App, *rules: dict[str, Any], **changes: Any) -> Made:
    document = monitor_document(windows=["1h"], rules=list(rules), **changes)
    app.register.add("late", document, reference())
    return Made(app, "late")


def episodes(app: App) -> list[Episode]:
    return [
        episode
        for incident in app.read.incidents()
        for episode in (app.read.incident(incident.id) or pytest.fail("gone")).episodes
    ]


def measures(app: App, hour: int) -> dict[str, Any]:
    with app.records.read() as connection:
        record = models.model_named(connection, "late")
        size = from_datetime(START + HOUR) - from_datetime(START)
        end = from_datetime(START + HOUR * (hour + 1))
        return dict(evaluations.at(connection, record.id, size, [end])[end].measures)


def test_a_rule_by_segment_has_an_alert_for_each_and_says_of_which(app: App) -> None:
    of = rule(metric="accuracy_score", by=["carrier"])
    feed = watched(app, of, segments=["carrier"])
    feed.make(0, flip="B6")
    feed.close(1)
    (episode,) = episodes(app)
    assert (episode.instance, episode.labels["segment"]) == ("carrier=B6", "carrier=B6")
    assert "feature" not in episode.labels
    (incident,) = app.read.incidents()
    assert incident.title == "Accuracy of carrier=B6 is below 0.5 over 1h"
    # It is the number that the page of the segment shows.
    (shown,) = (
        part.measure
        for part in app.read.segments("late", metric="accuracy_score").segments["carrier"]
        if part.value == "B6"
    )
    assert measures(app, 0)["accuracy_score by carrier{carrier=B6}"] == shown


def test_a_rule_by_version_rings_for_the_one_that_is_bad(app: App) -> None:
    feed = watched(app, rule(metric="accuracy_score", by=["version"]))
    feed.make(0, version="1")
    feed.make(0, n=200, version="2", upset=1.0)
    feed.close(1)
    (episode,) = episodes(app)
    assert (episode.instance, episode.labels["version"]) == ("version=2", "2")


def test_a_challenger_is_compared_with_the_version_that_has_most_rows(app: App) -> None:
    feed = watched(app, rule(metric="accuracy_score", relative_to="version", value=-0.1))
    feed.make(0, version="1")
    feed.make(0, n=200, version="2", upset=1.0)
    feed.close(1)
    (episode,) = episodes(app)
    assert episode.labels["version"] == "2"
    found = measures(app, 0)["accuracy_score - version by version{version=2}"]
    assert isinstance(found, Bounded)
    assert found.value < -0.1
    assert found.low is not None
    assert found.low < found.value


def test_a_metric_is_compared_with_the_reference_and_with_the_window_before(app: App) -> None:
    feed = watched(
        app,
        rule("Dropped", metric="roc_auc", relative_to="reference", value=-0.1),
        rule("Fell", metric="roc_auc", relative_to="previous", value=-0.1),
    )
    feed.make(0)
    feed.make(1, upset=1.0)
    feed.make(2, upset=1.0)
    feed.close(3)
    first, second, third = (measures(app, hour) for hour in range(3))
    assert isinstance(first["roc_auc - previous"], Undefined)
    assert first["roc_auc - reference"].value == pytest.approx(0, abs=0.1)
    fell = second["roc_auc"].value - first["roc_auc"].value
    assert second["roc_auc - previous"].value == pytest.approx(fell)
    assert third["roc_auc - previous"].value == pytest.approx(
        third["roc_auc"].value - second["roc_auc"].value
    )
    assert sorted(e.rule for e in episodes(app)) == ["Dropped", "Fell"]
    # It fell once: the window after that is as bad as the one before it.
    assert [e.rule for e in episodes(app) if e.resolved is None] == ["Dropped"]
    titles = [incident.title for incident in app.read.incidents()]
    assert "ROC AUC against the reference is below -0.1 over 1h" in titles


def test_each_value_of_a_segment_against_the_window_before(app: App) -> None:
    of = rule(metric="accuracy_score", by=["carrier"], relative_to="previous", value=-0.3)
    feed = watched(app, of, segments=["carrier"])
    feed.make(0)
    feed.make(1, flip="B6")
    feed.close(2)
    first, second = measures(app, 0), measures(app, 1)
    assert isinstance(first["accuracy_score - previous by carrier{carrier=AA}"], Undefined)
    fell = {name: second[f"accuracy_score - previous by carrier{{carrier={name}}}"].value
            for name in ("AA", "B6", "UA")}  # fmt: skip
    assert fell["B6"] < -0.3
    assert max(abs(fell["AA"]), abs(fell["UA"])) < 0.2
    assert [episode.instance for episode in episodes(app)] == ["carrier=B6"]


def test_what_is_usual_is_learned_of_each_value_of_a_segment(app: App) -> None:
    of = rule(metric="accuracy_score", by=["carrier"], value="auto")
    del of["expr"]["op"], of["confidence"]
    feed = watched(app, of, segments=["carrier"], lateness="1m")
    for hour in range(24 * 10):
        feed.make(hour, 70)
    for hour in range(24 * 10, 24 * 10 + 10):
        feed.make(hour, 120, flip="AA")
    feed.close(24 * 10 + 11)
    assert {episode.instance for episode in episodes(app)} == {"carrier=AA"}


def test_an_expression_over_several_metrics(app: App) -> None:
    text = "precision_score + 2 * `recall_score@0.3`"
    of = rule(expression=text, op=">", value=0.1)
    feed = watched(
        app,
        of,
        schema=monitor_document()["schema"] | {"thresholds": [0.3]},
    )
    feed.make(0)
    feed.close(1)
    found = measures(app, 0)
    expected = found["precision_score"].value + 2 * found["recall_score@0.3"].value
    assert found[text].value == pytest.approx(expected)
    (episode,) = episodes(app)
    assert episode.rule == "Low"


def test_pages_and_api_show_rules_on_made_numbers(app: App) -> None:
    watched(
        app,
        rule("A", metric="accuracy_score", by=["carrier"]),
        rule("B", metric="accuracy_score", relative_to="reference", value=-0.1),
        rule("C", expression="precision_score - recall_score"),
        segments=["carrier"],
    )
    with TestClient(application(app), base_url="http://localhost:8765") as client:
        page = client.get("/models/late")
        assert page.status_code == 200
        assert "Accuracy of any carrier below 0.5" in page.text
        assert "Accuracy against the reference below" in page.text
        assert client.get("/api/v1/models/late").status_code == 200


@pytest.mark.parametrize(
    ("expr", "named"),
    [
        ({"metric": "accuracy_score", "by": ["origin"]}, "there is no segment 'origin'"),
        ({"metric": "accuracy_score", "by": ["carrier", "version"]}, "takes one part"),
        (
            {"metric": "accuracy_score", "by": ["carrier"], "relative_to": "reference"},
            "leave out `by`",
        ),
        ({"metric": "accuracy_score", "expression": "1"}, "either `metric` or `expression`"),
        ({}, "either `metric` or `expression`"),
        ({"expression": "roc_acu - 1"}, "roc_acu"),
        ({"expression": "roc_auc -"}, "cannot be read"),
        ({"expression": "1 + 1"}, "has no metric in it"),
        ({"expression": "roc_auc", "by": ["version"]}, "is of all rows"),
        ({"metric": "drift", "relative_to": "reference"}, "drift"),
        ({"metric": "accuracy_score", "by": ["version"], "value": "auto"}, "of all rows"),
        ({"metric": "accuracy_score", "relative_to": "yesterday"}, "relative_to"),
    ],
)
def test_what_cannot_be_made_is_refused(app: App, expr: dict[str, Any], named: str) -> None:
    with pytest.raises(SchemaError, match=named):
        watched(app, rule(**expr), segments=["carrier"])
