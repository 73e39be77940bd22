"""Rules are tried on what is stored, as they would have been judged."""

from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient
from tests.service.test_episodes import FIRST, RULE, Watched, text
from tests.world import monitor_document, reference

from tocsin.api.server import application
from tocsin.app import App
from tocsin.cli.backtesting import backtest_table
from tocsin.declared import parse_monitor
from tocsin.errors import InvalidInputError, SchemaError
from tocsin.records.alerts import Verdict
from tocsin.service.people import Person
from tocsin.values import DAY, HOUR

ANN = Person("ann")


@pytest.fixture
def watched(app: App) -> Watched:
    return Watched.of(app, RULE)


def other(value: float, **more: Any) -> dict[str, Any]:
    return RULE | {"alert": "Other", "expr": RULE["expr"] | {"value": value, "clear": None}} | more


def fired(app: App, *rules: dict[str, Any], **asked: Any) -> list[tuple[int, int | None]]:
    (found,) = app.backtest.run("late", rules=list(rules) or None, **asked).rules
    return [
        (
            (each.span.fired - FIRST) // HOUR,
            None if each.span.resolved is None else (each.span.resolved - FIRST) // HOUR,
        )
        for each in found.fired
    ]


def test_a_backtest_of_the_own_rules_is_what_happened(watched: Watched) -> None:
    rng = np.random.default_rng(0)
    letters = "".join(rng.choice(list("ccccbbhl"), 150).tolist())
    for at in range(0, 150, 25):
        watched.see(*text(letters)[at : at + 25])
    assert fired(watched.app) == watched.runs()
    assert len(watched.runs()) > 5


def test_windows_are_judged_as_they_are_known_now(watched: Watched) -> None:
    watched.see(*text("cbcc"))
    watched.see((1, "c"))
    assert fired(watched.app) == []


def test_other_rules_can_be_tried_and_nothing_is_changed(watched: Watched) -> None:
    watched.see(*text("cbcchhc"))
    assert fired(watched.app, other(0.8)) == [(1, 2), (4, 6)]
    assert fired(watched.app, other(0.8, **{"for": 3})) == []
    assert watched.runs() == [(1, 2)]
    assert [rule.name for rule in watched.app.read.model("late").monitor.rules] == ["Low"]


def test_only_the_windows_between_two_times_are_looked_at(watched: Watched) -> None:
    watched.see(*text("cbccbccbcc"))
    start, end = FIRST + 2 * HOUR, FIRST + 5 * HOUR
    assert fired(watched.app, start=start, end=end) == [(4, 5)]
    (found,) = watched.app.backtest.run("late", start=start, end=end).rules
    assert (found.windows, found.judged) == (3, 3)


def test_what_people_marked_is_counted(watched: Watched) -> None:
    watched.see(*text("cbcc"))
    watched.see(*((i + 4, letter) for i, letter in enumerate("bcc")))
    watched.app.people.mark(1, ANN, Verdict.REAL)
    watched.app.people.mark(2, ANN, Verdict.FALSE)
    (own,) = watched.app.backtest.run("late").rules
    assert [each.marked for each in own.fired] == [Verdict.REAL, Verdict.FALSE]
    assert (own.real, own.caught) == (1, 1)
    (deaf,) = watched.app.backtest.run("late", rules=[other(0.1)]).rules
    assert (deaf.fired, deaf.real, deaf.caught) == ((), 1, 0)


def test_a_suggested_threshold_fires_as_often_as_is_wanted(watched: Watched) -> None:
    # 30 days of hours: ten windows are bad, fifty are not good.
    letters = ["c"] * 720
    for i in range(10):
        letters[70 * i + 5] = "b"
    for i in range(50):
        letters[14 * i + 2] = "h" if letters[14 * i + 2] == "c" else "b"
    watched.see(*text("".join(letters)))
    for wanted, most in [(100, 0.9), (12, 0.75), (0, 0.5)]:
        (found,) = watched.app.backtest.run("late", rules=[other(0.7)], wanted=wanted).rules
        assert found.suggestion is not None
        assert found.suggestion.value == pytest.approx(most)
        assert found.suggestion.alerts <= wanted
        again = fired(watched.app, other(found.suggestion.value))
        assert len(again) == found.suggestion.alerts


def test_the_api_and_the_table_tell_it(watched: Watched) -> None:
    watched.see(*text("cbcc" + "c" * 24))
    with TestClient(application(watched.app), base_url="http://localhost:8765") as client:
        answer = client.post(
            "/api/v1/models/late/backtest",
            json={"rules": [other(0.8)], "alerts_per_month": 1},
        )
        assert answer.status_code == 200, answer.text
        (rule,) = answer.json()["rules"]
        assert (rule["alerts"], rule["windows"], rule["fired"][0]["marked"]) == (1, 28, None)
        assert rule["alerts_per_month"] == pytest.approx(30 * 24 / 27, abs=0.01)
        for wrong in (
            {"rules": []},
            {"rules": [{"alert": "x"}]},
            {"from": "2013-05-01T00:00"},
            {"alerts_per_month": -1},
        ):
            assert client.post("/api/v1/models/late/backtest", json=wrong).status_code == 422
        assert client.post("/api/v1/models/none/backtest", json={}).status_code == 404
    backtest_table(answer.json())


def test_what_cannot_be_run_is_refused(app: App) -> None:
    app.register.add("quiet", monitor_document(rules=[]), reference(500))
    with pytest.raises(InvalidInputError, match="has no rules"):
        app.backtest.run("quiet")
    rule = other(0.5) | {"expr": RULE["expr"] | {"window": "2h"}}
    with pytest.raises(SchemaError, match="window 2h is not one of"):
        app.backtest.run("quiet", rules=[rule])
    empty = app.backtest.run("quiet", rules=[other(0.5)])
    assert (empty.rules[0].windows, empty.rules[0].fired) == (0, ())


def test_too_many_windows_are_refused(watched: Watched) -> None:
    watched.see(*text("c"))
    with pytest.raises(InvalidInputError, match="choose a shorter span"):
        watched.app.backtest.run("late", start=FIRST - 1_000 * DAY)


def test_a_rule_that_learns_is_judged_by_what_it_would_have_learned(app: App) -> None:
    expr = {"metric": "accuracy_score", "window": "1h", "value": "auto"}
    learns = {"alert": "Auto", "expr": expr}
    watched = Watched.of(app, RULE)
    watched.see(*text("c" * 400 + "b" * 40))
    assert parse_monitor("late", monitor_document(windows=["1h"], rules=[learns])).rules[0].auto
    found = fired(app, learns)
    assert len(found) == 1
    assert found[0][0] >= 400
