"""What an incident says of its alerts."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tocsin.records.alerts import Episode
from tocsin.service.grouped import about, cause_document, causes_of, title_of, with_later
from tocsin.values import DAY, HOUR

FEATURES = ("distance", "carrier", "origin")


def cause(kind: str, feature: str | None, score: float, end: int = 0) -> dict[str, Any]:
    return {
        "kind": kind,
        "feature": feature,
        "segment": None,
        "score": score,
        "verdict": "likely" if score >= 0.6 else "possible",
        "sentence": f"{kind} of {feature}",
        "window_size": HOUR,
        "window_end": end,
    }


def episode(instance: str = "", *causes: dict[str, Any], **more: Any) -> Episode:
    values = {"severity": "warning", "fired": 10 * DAY, **more}
    name = values.pop("name", instance or "Low")
    fired = values.pop("fired")
    return Episode(
        id=f"{name}{fired}",
        incident_id=1,
        rule=name,
        instance=instance,
        category="",
        started=fired,
        fired=fired,
        resolved=None,
        text="",
        title=f"{name} is wrong",
        causes=list(causes),
        **values,
    )


def suspects(causes: list[dict[str, Any]]) -> list[tuple[str, str | None]]:
    return [(c["kind"], c["feature"]) for c in causes]


SUSPECTS = [("concept", None), ("missing_rows", None)]
SUSPECTS += [(kind, name) for kind in ("nulls", "covariate") for name in FEATURES]
CAUSES = st.lists(
    st.builds(
        lambda suspect, score, end: cause(*suspect, score, end),
        st.sampled_from(SUSPECTS),
        st.floats(0.3, 1.0),
        st.integers(0, 9),
    ),
    unique_by=lambda c: (c["kind"], c["feature"]),
    max_size=5,
)
INSTANCES = st.sampled_from(["", "distance", "carrier/null_rate", "volume", "p"])


@given(CAUSES, CAUSES, INSTANCES)
def test_a_later_look_loses_nothing_and_knows_nothing_less_surely(known, later, instance) -> None:
    of = about(instance, FEATURES)
    known = with_later([], known, of)
    found = with_later(known, later, of)
    assert {*suspects(known)} <= {*suspects(found)} <= {*suspects(known), *suspects(later)}
    best = {s: c["score"] for s, c in zip(suspects(found), found, strict=True)}
    for suspect, before in zip(suspects(known), known, strict=True):
        assert best[suspect] >= before["score"]
    if known:
        assert found == known or found[0]["score"] != known[0]["score"]
    # Looking at the same again changes nothing.
    assert with_later(found, later, of) == found


@given(st.lists(st.tuples(INSTANCES, CAUSES, st.booleans()), min_size=1, max_size=4))
def test_an_incident_has_every_suspect_of_its_alerts_once(alerts) -> None:
    episodes = [
        episode(instance, *causes, retracted=retracted) for instance, causes, retracted in alerts
    ]
    standing = [e for e in episodes if not e.retracted] or episodes
    found = causes_of(episodes, FEATURES)
    assert len(set(suspects(found))) == len(found)
    assert {*suspects(found)} == {s for e in standing for s in suspects(e.causes)}
    for told in found:
        same = [
            c
            for e in standing
            for c in e.causes
            if (e.rule, e.instance) == (told["alert"], told["instance"])
        ]
        assert {k: v for k, v in told.items() if k not in ("alert", "instance")} in same


def test_the_order_of_alerts_says_nothing_of_what_explains_most() -> None:
    flip = episode("", cause("concept", None, 0.96), name="AucLow")
    wind = episode("", cause("covariate", "distance", 0.85), name="BrierWent", fired=14 * DAY)
    for alerts in ([flip, wind], [wind, flip]):
        assert suspects(causes_of(alerts, FEATURES)) == [
            ("concept", None),
            ("covariate", "distance"),
        ]


def test_what_is_far_from_what_an_alert_is_about_comes_last() -> None:
    nulls = episode(
        "distance/null_rate",
        cause("nulls", "distance", 0.7),
        cause("out_of_range", "carrier", 0.95),
        severity="critical",
    )
    low = episode("", cause("concept", None, 0.5), name="AucLow")
    found = suspects(causes_of([nulls, low], FEATURES))
    assert found == [("nulls", "distance"), ("concept", None), ("out_of_range", "carrier")]
    # What the model as a whole is explained by is near to it.
    low = episode("", cause("out_of_range", "carrier", 0.95), name="AucLow")
    found = suspects(causes_of([nulls, low], FEATURES))
    assert found == [("nulls", "distance"), ("out_of_range", "carrier")]
    low = episode("", cause("out_of_range", "carrier", 0.95), name="Low", severity="critical")
    assert suspects(causes_of([nulls, low], FEATURES))[0] == ("out_of_range", "carrier")


def test_the_causes_of_the_most_severe_alert_come_first_if_they_are_likely() -> None:
    warning = episode("", cause("covariate", "origin", 0.9), name="Warning")
    for score, first in ((0.65, "carrier"), (0.5, "origin")):
        critical = episode("", cause("nulls", "carrier", score), name="Page", severity="critical")
        assert causes_of([warning, critical], FEATURES)[0]["feature"] == first


def test_an_incident_is_called_by_what_opened_it_and_by_what_began_long_after() -> None:
    first = episode("distance")
    soon = episode("carrier", fired=10 * DAY + 20 * HOUR)
    assert title_of([first, soon]) == "distance is wrong"
    late = episode("p", fired=14 * DAY)
    assert title_of([first, soon, late]) == "distance is wrong; later: p is wrong"
    again = episode("carrier", fired=15 * DAY)
    assert title_of([first, soon, late, again]) == (
        "distance is wrong; later: carrier is wrong and 1 more"
    )
    assert title_of([first, episode("distance", fired=15 * DAY)]) == "distance is wrong"


def test_other_programs_get_windows_in_words() -> None:
    told = cause_document(cause("nulls", "distance", 0.7, end=DAY))
    assert (told["window"], told["window_end"]) == ("1h", "1970-01-02T00:00:00Z")
    assert "window_size" not in told
