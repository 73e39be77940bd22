import json
import re

import pytest
import vl_convert

from tocsin import charts
from tocsin.charts import (
    DARK,
    LIGHT,
    DriftColumn,
    Guess,
    Mark,
    Moment,
    ServingWindow,
    Span,
    Threshold,
)
from tocsin.drift import Shift, Verdict
from tocsin.values import HOUR, Bounded, Undefined, Window

NUMBERS = (*(f"{10 * i} to {10 * i + 10}" for i in range(20)), "below", "above", "null")
LEVELS = ("UA", "B6", "EV", "other", "unseen", "null")


def moments(count=120, **changes):
    return [
        Moment(i * HOUR, Bounded(0.7 + 0.001 * (i % 7), low=0.68, high=0.73, n=100), **changes)
        for i in range(count)
    ]


def metric(drawn, **options):
    return charts.over_time(drawn, title="ROC AUC is 0.7", unit="ROC AUC", every=HOUR, **options)


def shift(distance, verdict=Verdict.NONE):
    return Shift(distance, 0.1, 0.5, 100, 50, 1.0, 0.1, verdict, "why")


def drift(windows, columns, drifted=()):
    return [
        DriftColumn(
            Window(i * HOUR, (i + 1) * HOUR),
            {
                name: shift(0.5, Verdict.DRIFT) if name in drifted else shift(0.05)
                for name in columns
            },
        )
        for i in range(windows)
    ]


def cause(kind="nulls", bins=NUMBERS):
    regular = len(bins) - 3
    even = [0.9 / regular] * regular
    return {
        "kind": kind,
        "sentence": "`temp` has no value in 20.0% of the rows",
        "evidence": {
            "bins": list(bins),
            "regular": regular,
            "reference": [*even, 0.0, 0.0, 0.1],
            "current": [*even, 0.0, 0.08, 0.02],
        },
    }


def served(count=30, **changes):
    return [
        ServingWindow(
            i * HOUR, (i + 1) * HOUR, **{"requests": 100 + i, "failed": i % 3, "p50": 5.0,
            "p95": 9.0, "p99": 30.0 + i, **changes},
        )
        for i in range(count)
    ]  # fmt: skip


PICTURES = {
    "latencies": lambda: charts.latencies(served(), title="Half take 5 ms", every=HOUR),
    "requests": lambda: charts.requests(
        served(), title="435 requests, 30 failed", marks=[Mark(2 * HOUR, "champion → 2")]
    ),
    "metric": lambda: metric(
        moments(),
        reference=Bounded(0.74),
        thresholds=[Threshold(0.65, "alert below 0.65")],
        spans=[Span(20 * HOUR, 30 * HOUR, "#1"), Span(100 * HOUR, None, "#2")],
        marks=[Mark(40 * HOUR, "champion → 2")],
    ),
    "metric of shares": lambda: metric(moments(), percent=True),
    "metric without numbers": lambda: metric([Moment(0, Undefined("no outcomes yet"))]),
    "metric of one window": lambda: metric(moments(1)),
    "metric of nothing": lambda: metric([]),
    "drift": lambda: charts.drift_map(drift(48, LEVELS, ["EV"]), title="EV has drifted"),
    "drift with a move": lambda: charts.drift_map(
        drift(48, LEVELS, ["EV"]), title="EV", marks=[Mark(20 * HOUR, "champion → 2")]
    ),
    "drift of nothing": lambda: charts.drift_map([], title="nothing"),
    "numbers": lambda: charts.distribution(NUMBERS, 20, [0.05] * 20 + [0, 0, 0], [0.04] * 23),
    "categories": lambda: charts.distribution(LEVELS, 3, [0.5, 0.3, 0.2, 0, 0, 0], [1 / 6] * 6),
    "no bins": lambda: charts.distribution((), 0, (), ()),
    "nulls": lambda: charts.cause_evidence(cause()),
    "covariate": lambda: charts.cause_evidence(cause("covariate")),
}


def rows(spec):
    return [row for data in spec.get("datasets", {}).values() for row in data] + [
        row
        for layer in (spec, *spec.get("layer", []))
        for row in layer.get("data", {}).get("values", [])
    ]


def drawn_rows(spec, key):
    return [row for row in rows(spec) if key in row]


@pytest.mark.parametrize("name", PICTURES)
@pytest.mark.parametrize("tokens", [LIGHT, DARK], ids=["light", "dark"])
def test_every_picture_can_be_drawn(name, tokens):
    spec = {**PICTURES[name](), "width": 600}
    svg = vl_convert.vegalite_to_svg(charts.themed(spec, tokens))
    assert svg.startswith("<svg")
    assert "NaN" not in svg or name.endswith("of nothing")


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_has_a_finding_and_no_colours_of_its_own(name):
    spec = PICTURES[name]()
    assert spec["title"]
    assert not re.search(r"#[0-9a-f]{6}", json.dumps(spec))


def test_the_colours_of_a_scheme_reach_the_marks():
    svg = vl_convert.vegalite_to_svg(charts.themed({**PICTURES["metric"](), "width": 600}, DARK))
    for colour in (DARK.data, DARK.data_soft, DARK.past, DARK.breach, DARK.breach_soft):
        assert colour in svg


def test_a_year_of_hours_keeps_within_the_most_marks():
    spec = metric(moments(365 * 24))
    # Two marks a row at most: the dot that follows the pointer, and a cross or a lone dot.
    assert 2 * len(rows(spec)) <= charts.MOST_MARKS


def test_a_map_of_many_columns_keeps_within_the_most_marks():
    columns = [f"column {i}" for i in range(300)]
    spec = charts.drift_map(drift(400, columns, columns), title="all")
    assert 2 * len(rows(spec)) <= charts.MOST_MARKS
    assert len({row["column"] for row in rows(spec)}) == 24


def test_many_categories_become_few_bars_and_the_rest_as_one():
    bins = (*(f"level {i}" for i in range(50)), "other", "unseen", "null")
    spec = charts.distribution(bins, 50, [0.02] * 50 + [0] * 3, [0.02] * 50 + [0] * 3)
    bars = drawn_rows(spec, "bin")
    assert len(bars) == 30
    assert sum(bar["current"] for bar in bars) == pytest.approx(1)
    assert bars[-1]["bin"] == "21 more"


def test_an_undefined_window_is_a_gap_that_carries_its_reason():
    drawn = moments(3)
    drawn[1] = Moment(HOUR, Undefined("one class only"))
    gap = next(row for row in rows(metric(drawn)) if row.get("t") == HOUR // 1000)
    assert gap["reason"] == "one class only"
    assert "value" not in gap
    assert "any" not in gap


def test_windows_that_never_were_are_a_gap():
    drawn = [moments(5)[0], moments(5)[4]]
    at = [row["t"] // 3_600_000 for row in drawn_rows(metric(drawn), "t")]
    assert at == [0, 1, 4]


def test_a_window_between_gaps_is_a_dot():
    drawn = [moments(9)[0], moments(9)[4], moments(9)[8]]
    assert [row["t"] // 3_600_000 for row in drawn_rows(metric(drawn), "alone")] == [0, 4, 8]


def test_the_dashed_line_begins_at_the_last_complete_window():
    drawn = [*moments(4)[:2], *moments(4, provisional=True)[2:]]
    spec = metric(drawn)
    assert [row["t"] // 3_600_000 for row in drawn_rows(spec, "value")] == [0, 1]
    assert [row["t"] // 3_600_000 for row in drawn_rows(spec, "provisional")] == [1, 2, 3]


def test_a_threshold_is_written_on_its_line():
    spec = metric(moments(), thresholds=[Threshold(0.65, "alert below 0.65")])
    assert {"level": 0.65, "words": "alert below 0.65"} in rows(spec)


def test_incidents_outside_the_picture_are_not_drawn():
    spans = [Span(-9 * HOUR, -8 * HOUR, "before"), Span(900 * HOUR, None, "after")]
    assert not drawn_rows(metric(moments(), spans=spans), "from")


def test_words_of_incidents_that_would_overlap_are_left_out():
    spans = [Span(50 * HOUR, 51 * HOUR, "#1"), Span(52 * HOUR, 53 * HOUR, "#2")]
    assert [r["words"] for r in drawn_rows(metric(moments(), spans=spans), "from")] == ["#1", ""]


def test_moves_are_marked_with_their_words_and_only_inside_the_picture():
    marks = [Mark(-HOUR, "before"), Mark(20 * HOUR, "champion → 2"), Mark(999 * HOUR, "after")]
    found = drawn_rows(metric(moments(), marks=marks), "at")
    assert found == [{"at": 20 * 3_600_000, "words": "champion → 2"}]


def test_words_of_moves_that_would_overlap_are_left_out():
    marks = [Mark(20 * HOUR, "champion → 2"), Mark(21 * HOUR, "champion → 1")]
    assert [r["words"] for r in drawn_rows(metric(moments(), marks=marks), "at")] == [
        "champion → 2",
        "",
    ]


def test_a_few_wide_intervals_do_not_flatten_the_line():
    drawn = moments(100)
    drawn[50] = Moment(50 * HOUR, Bounded(0.7, low=0.0, high=1.0))
    low, high = next(
        layer["encoding"]["y"]["scale"]["domain"]
        for layer in metric(drawn)["layer"]
        if "scale" in layer["encoding"].get("y", {})
    )
    assert low > 0.6
    assert high < 0.8


def test_drift_is_marked_by_a_dot():
    spec = charts.drift_map(drift(10, LEVELS, ["EV"]), title="EV")
    assert any(layer["mark"].get("style") == "verdict" for layer in spec["layer"])
    calm = charts.drift_map(drift(10, LEVELS), title="none")
    assert not any(layer["mark"].get("style") == "verdict" for layer in calm["layer"])


def test_explicit_bins_stand_apart_on_the_right_and_empty_ones_are_left_out():
    spec = charts.distribution(NUMBERS, 20, [0.05] * 20 + [0, 0, 0], [0.04] * 20 + [0, 0.2, 0])
    bars = drawn_rows(spec, "bin")
    assert [bar["bin"] for bar in bars[20:]] == ["higher"]
    assert bars[20]["from"] > bars[19]["to"] + 0.5


def test_categories_that_look_like_ranges_are_not_taken_for_numbers():
    spec = charts.distribution(("1 to 2", "5 to 6", "null"), 2, [0.5, 0.5, 0], [0.5, 0.5, 0])
    assert all(bar["boxed"] for bar in drawn_rows(spec, "bin"))


def test_the_title_of_a_distribution_is_its_largest_change():
    spec = charts.distribution(LEVELS, 3, [0.5, 0.3, 0.2, 0, 0, 0], [0.5, 0.3, 0.1, 0, 0.1, 0])
    assert spec["title"] == "10.0% of the rows are EV; in the reference 20.0%"


def test_a_category_called_null_is_no_missing_value():
    spec = charts.distribution(("null", "b", "null"), 2, [0.5, 0.5, 0], [0.9, 0.1, 0])
    assert spec["title"] == "90.0% of the rows are null; in the reference 50.0%"


def test_nulls_are_proved_by_two_bars():
    bars = rows(charts.cause_evidence(cause()))
    assert [(bar["when"], bar["text"]) for bar in bars] == [("now", "2.0%"), ("reference", "10.0%")]


def test_a_cause_without_a_distribution_has_no_picture():
    assert charts.cause_evidence({**cause("concept"), "evidence": None}) is None


def test_names_cannot_leave_their_label():
    name = "\"]+alert(1)+['<b>"
    spec = charts.distribution((name, "b", "null"), 2, [0.5, 0.5, 0], [0.5, 0.5, 0])
    svg = vl_convert.vegalite_to_svg({**charts.themed(spec), "width": 600})
    assert "&lt;b&gt;" in svg or "&lt;b>" in svg
    assert "<b>" not in svg


def test_a_sparkline_breaks_at_gaps_and_ends_in_a_dot():
    svg = charts.sparkline([1.0, 2.0, None, 3.0], reference=2.0)
    path = re.search(r' d="([^"]*)"', svg)[1]
    assert path.count("M") == 2
    assert svg.count("<circle") == 1
    assert svg.count("<line") == 1


@pytest.mark.parametrize("values", [[], [None, None]])
def test_a_sparkline_of_nothing_is_empty(values):
    assert charts.sparkline(values) == ""


def test_a_sparkline_does_not_make_mountains_of_noise():
    svg = charts.sparkline([0.7, 0.7001, 0.7])
    heights = [float(y) for y in re.findall(r"[ML][\d.]+ ([\d.]+)", svg)]
    assert max(heights) - min(heights) < 1


def test_moves_of_aliases_are_drawn_where_serving_was_seen():
    windows = served()
    within, before = Mark(windows[1].end, "champion → 2"), Mark(windows[0].start - HOUR, "old")
    for spec in (
        charts.latencies(windows, title="t", every=HOUR, marks=[before, within]),
        charts.requests(windows, title="t", marks=[before, within]),
    ):
        assert [row["at"] for row in spec["datasets"]["marks"]] == [windows[1].end // 1000]
    assert "marks" not in charts.requests(windows, title="t")["datasets"]


def test_latencies_have_a_gap_where_nothing_was_served():
    early, late = served(2), [ServingWindow(9 * HOUR, 10 * HOUR, 1, 0, p50=4.0, p95=4.0, p99=4.0)]
    rows = charts.latencies([*early, *late], title="t", every=HOUR)["datasets"]["windows"]
    assert [row.get("p50") for row in rows] == [5.0, 5.0, None, 4.0]


def test_an_estimate_is_a_line_of_its_own_and_dotted_where_it_is_doubtful() -> None:
    drawn = moments(10)
    guesses = [Guess(m.at, 0.9 if i < 5 else 0.95, doubtful=i >= 5) for i, m in enumerate(drawn)]
    spec = metric(drawn, guesses=[*guesses, Guess(14 * HOUR, 0.9)])
    rows = spec["datasets"]["guesses"]
    assert [row.get("value") for row in rows[:5]] == [0.9] * 5
    # The dotted stretch begins where the plain one ends.
    assert [row.get("doubtful") for row in rows[4:6]] == [0.9, 0.95]
    assert set(rows[10]) == {"t"}, "a gap where no window was"
    styles = [layer["mark"].get("style") for layer in spec["layer"]]
    assert styles.index("estimate") < styles.index("line")
    assert "doubtful" in styles
    (top,) = {
        layer["encoding"]["y"]["scale"]["domain"][1]
        for layer in spec["layer"]
        if layer["mark"].get("style") in ("estimate", "line")
    }
    assert top > 0.95
    assert "guesses" not in metric(drawn)["datasets"]
    assert vl_convert.vegalite_to_svg(charts.themed(spec)).startswith("<svg")
