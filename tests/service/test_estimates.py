"""Windows are estimated when they close, and rules act on estimates that have proven themselves."""

import io
from datetime import timedelta

import numpy as np
import pytest
from rich.console import Console
from starlette.testclient import TestClient
from tests.world import HOUR, START, Feed, flights, monitor_document, outcome, prediction, reference

from tocsin.api.server import application
from tocsin.cli.estimates import estimates_table
from tocsin.errors import SchemaError
from tocsin.estimation import Flag
from tocsin.records import evaluations, models
from tocsin.service.estimated import EstimatedSeries
from tocsin.service.publish import _points
from tocsin.values import HOUR as HOUR_US
from tocsin.values import Bounded, from_datetime

PROVEN = 14


def _rule(metric: str = "estimated.accuracy_score", **labels: str) -> dict[str, object]:
    expr = {"metric": metric, "window": "1h", "op": "<", "value": 0.6}
    return {"alert": "Early", "expr": expr, "confidence": "none", "labels": labels}


def _watched(feed: Feed, **changes: object) -> Feed:
    # Outcomes take two hours, and that is said, so that nothing has to be learned.
    said = {"rules": [_rule()], "windows": ["1h"], "labels": {"max": "3d", "delay": "2h"}}
    feed.app.register.add("early", monitor_document(**{**said, **changes}), reference())
    return Feed(feed.app, "early")


def _estimates(feed: Feed, metric: str = "accuracy_score") -> EstimatedSeries:
    return feed.app.read.estimates(feed.model, window=HOUR_US)[metric]


def _unsure(feed: Feed, first: int, last: int, *, rows: int = 80, distance: float = 1000) -> None:
    """Hours of scores of a half, where the model cannot tell; outcomes follow the scores."""
    for hour in range(first, last):
        rng = np.random.default_rng(hour)
        times = [START + HOUR * hour + HOUR * i / rows for i in range(rows)]
        feed.predictions(
            *(
                prediction(f"h{hour}-{i}", timestamp=times[i], distance=distance, carrier="B6",
                           p=float(rng.uniform(0.47, 0.53)))
                for i in range(rows)
            )
        )  # fmt: skip
        feed.outcomes(
            *(
                outcome(f"h{hour}-{i}", int(rng.random() < 0.5), timestamp=times[i] + 2 * HOUR)
                for i in range(rows)
            )
        )


def _at(hour: int) -> int:
    return from_datetime(START + timedelta(hours=hour))


def test_windows_without_labels_are_estimated_within_their_interval(feed: Feed) -> None:
    feed = _watched(feed)
    feed.hours(0, PROVEN, labelled=False)
    feed.work()
    made = _estimates(feed)
    assert made.backtest.windows == 0
    assert all(p.estimate is not None and not p.estimate.trusted for p in made.points)
    truth = []
    for hour in range(len(made.points)):
        some = flights(80, seed=1_000 + hour)
        truth.append(float(((some.score >= 0.5) == some.late).mean()))
    measures = [p.estimate.measure for p in made.points if p.estimate is not None]
    inside = [
        isinstance(m, Bounded) and m.low is not None and m.high is not None and m.low <= t <= m.high
        for m, t in zip(measures, truth, strict=True)
    ]
    assert np.mean(inside) > 0.8


def test_what_was_estimated_stays_when_labels_come_and_is_tested_by_them(feed: Feed) -> None:
    feed = _watched(feed)
    feed.hours(0, PROVEN, labelled=False)
    feed.work()
    before = [p.estimate for p in _estimates(feed).points]
    for hour in range(PROVEN):
        some = flights(80, seed=1_000 + hour)
        late = START + HOUR * hour + 2 * HOUR
        feed.outcomes(
            *(outcome(f"h{hour}-{i}", int(y), timestamp=late) for i, y in enumerate(some.late))
        )
    feed.work()
    after = _estimates(feed)
    assert [p.estimate for p in after.points] == before
    assert after.backtest.windows == sum(p.final for p in after.points) > 8
    assert after.backtest.mae < 0.1
    assert "backtest: within the interval in" in after.sentence()


def test_the_estimates_of_a_catch_up_equal_those_of_small_steps(feed: Feed) -> None:
    feed = _watched(feed)
    for hour in range(PROVEN + 4):
        feed.hours(hour, hour + 1)
        feed.work()
    small = [p.estimate for p in _estimates(feed).points]
    other = Feed(feed.app, "leap")
    said = {"windows": ["1h"], "labels": {"max": "3d", "delay": "2h"}}
    feed.app.register.add("leap", monitor_document(**said), reference())
    other.hours(0, PROVEN + 4)
    other.work()
    large = [p.estimate for p in _estimates(other).points]
    assert small == large
    assert small[-1] is not None
    assert small[-1].trusted


def test_a_rule_rings_before_labels_once_the_estimate_has_proven_itself(feed: Feed) -> None:
    feed = _watched(feed)
    feed.hours(0, PROVEN)
    _unsure(feed, PROVEN, PROVEN + 3)
    feed.work()
    (incident,) = feed.app.read.incidents(model="early")
    assert incident.title == "Accuracy, estimated before labels, is below 0.6 over 1h"
    assert incident.opened == _at(PROVEN + 1)
    detail = feed.app.read.incident(incident.id)
    assert detail is not None
    assert detail.episodes[0].category == "early"


def test_a_rule_holds_while_nothing_has_proven_the_estimate(feed: Feed) -> None:
    feed = _watched(feed)
    _unsure(feed, 0, 5)
    feed.work()
    assert feed.app.read.incidents(model="early") == []
    point = _estimates(feed).latest
    assert point is not None
    assert point.estimate is not None
    assert isinstance(point.estimate.measure, Bounded)
    assert point.estimate.measure.value < 0.6
    assert point.estimate.flags == Flag.UNPROVEN


def test_rows_that_the_reference_never_had_make_an_estimate_untrusted(feed: Feed) -> None:
    feed = _watched(feed)
    feed.hours(0, PROVEN)
    _unsure(feed, PROVEN, PROVEN + 2, distance=90_000)
    feed.work()
    assert feed.app.read.incidents(model="early") == []
    point = _estimates(feed).latest
    assert point is not None
    assert point.estimate is not None
    assert point.estimate.flags == Flag.OUT_OF_SUPPORT
    assert "100% of the rows have a `distance`" in point.estimate.reasons[0]


def test_labels_that_contradict_make_later_estimates_untrusted(feed: Feed) -> None:
    feed = _watched(feed)
    feed.hours(0, PROVEN)
    feed.hours(PROVEN, PROVEN + 6, flip_labels=True)
    feed.work()
    flags = [p.estimate.flags for p in _estimates(feed).points if p.estimate is not None]
    # The first window of the new world knows nothing of it; its labels are in two hours later.
    assert Flag.CONCEPT_DRIFT_SUSPECTED not in flags[PROVEN]
    assert Flag.CONCEPT_DRIFT_SUSPECTED in flags[PROVEN + 3]


def test_a_rule_on_what_cannot_be_estimated_is_refused_with_what_can(feed: Feed) -> None:
    document = monitor_document(rules=[_rule("estimated.expected_calibration_error")])
    with pytest.raises(SchemaError, match=r"cannot be estimated without labels; .*roc_auc"):
        feed.app.register.add("odd", document, reference())
    document = monitor_document(rules=[_rule("estimated.nothing")])
    with pytest.raises(SchemaError, match="no metric 'nothing'"):
        feed.app.register.add("odd", document, reference())


def test_a_rule_may_name_a_threshold_and_a_category(feed: Feed) -> None:
    schema = monitor_document()["schema"] | {"thresholds": [0.3]}
    feed = _watched(
        feed, schema=schema, rules=[_rule("estimated.recall_score@0.30", category="mine")]
    )
    feed.hours(0, 3)
    feed.work()
    (rule,) = feed.app.read.model("early").monitor.rules
    assert (rule.metric, rule.category) == ("estimated.recall_score@0.3", "mine")
    assert _estimates(feed, "recall_score@0.3").latest is not None


def test_the_faces_say_what_was_estimated_and_whether_to_believe_it(feed: Feed) -> None:
    feed = _watched(feed)
    feed.hours(0, PROVEN)
    feed.work()
    with TestClient(application(feed.app)) as client:
        said = client.get("/api/v1/models/early/estimates", params={"window": "1h"}).json()
        page = client.get("/models/early?window=1h&metric=accuracy_score").text
    accuracy = next(each for each in said if each["metric"] == "accuracy_score")
    first, last = accuracy["points"][0], accuracy["points"][-1]
    assert (first["flags"], first["trusted"]) == (["unproven"], False)
    assert (last["flags"], last["trusted"], last["method"]) == ([], True, "cbpe")
    assert last["state"] == "provisional"
    assert "fewer than 8 earlier windows" in first["reasons"][0]
    tested = accuracy["backtest"]
    assert tested["skill"] == pytest.approx(1 - tested["mae"] / tested["mae_no_change"])
    assert accuracy["sentence"] in page.replace("&#39;", "'")
    assert "&#34;guesses&#34;" in page or '"guesses"' in page
    assert "Accuracy, estimated before labels, below" in page
    table = io.StringIO()
    Console(file=table, width=120).print(estimates_table([accuracy], 3))
    assert accuracy["sentence"].split(";")[0] in " ".join(table.getvalue().split())


def test_estimates_go_to_mlflow_with_the_windows(feed: Feed) -> None:
    feed = _watched(feed)
    feed.hours(0, PROVEN)
    feed.work()
    with feed.app.records.read() as connection:
        record = models.model_named(connection, "early")
        found, _ = evaluations.recorded_after(connection, record.id, 0, 100)
        monitor = feed.app.read.model("early").monitor
        points = _points(connection, record, monitor, found)
    numbers = {point.name: point.value for version in points.values() for point in version}
    assert 0 < numbers["1h/estimated/roc_auc/low"] < numbers["1h/estimated/roc_auc"] < 1
    said = [p.value for v in points.values() for p in v if p.name.endswith("/trusted")]
    assert (said[0], max(said)) == (0.0, 1.0)


def test_a_reference_without_outcomes_gives_no_estimates(feed: Feed) -> None:
    bare = reference().drop_columns(["late"])
    feed.app.register.add("bare", monitor_document(windows=["1h"]), bare)
    other = Feed(feed.app, "bare")
    other.hours(0, 3)
    other.work()
    found = _estimates(other)
    assert found.latest is None
    assert "no estimate" in found.sentence()
