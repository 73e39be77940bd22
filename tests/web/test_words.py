import re
from dataclasses import replace
from datetime import UTC, datetime
from importlib.resources import files

import pytest

from tocsin.charts import DARK, LIGHT
from tocsin.metrics import METRICS
from tocsin.records.models import Rebuilding
from tocsin.rules import Operator, Rule
from tocsin.service.views import Point, Series
from tocsin.values import (
    DAY,
    HOUR,
    MINUTE,
    Bounded,
    Undefined,
    Window,
    WindowSpec,
    from_datetime,
)
from tocsin.web import model_words, rule_words, words


def plain(text):
    return text.replace("\u00a0", " ")


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (0.7123, "0.712"),
        (0.07126, "0.0713"),
        (1.0, "1.00"),
        (12.345, "12.3"),
        (1234.5, "1,230"),
        (-0.5, "−0.500"),
        (0.9996, "1.00"),
        (0.0, "0"),
        (1e-9, "1e−09"),
    ],
)
def test_numbers_have_three_significant_figures(value, written):
    assert words.number(value) == written


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_number_that_is_none_is_said_in_words(value):
    assert words.number(value) == "not a number"
    assert words.percent(value) == "not a number"


@pytest.mark.parametrize(
    ("share", "written"),
    [(0, "0 %"), (1, "100 %"), (0.9999, ">99.9 %"), (0.0001, "<0.1 %"), (0.62, "62 %")],
)
def test_a_share_is_never_rounded_to_all_or_nothing(share, written):
    assert plain(words.percent(share)) == written


def test_an_interval_is_written_with_the_digits_of_its_value():
    assert (
        words.measure_words(METRICS["roc_auc"], Bounded(0.712, low=0.703, high=0.721))
        == "0.712 ± 0.009"
    )
    assert words.measure_words(METRICS["roc_auc"], Bounded(0.712)) == "0.712"
    assert (
        words.measure_words(METRICS["roc_auc"], Bounded(0.7, low=float("nan"), high=1.0)) == "0.700"
    )
    assert plain(words.measure_words(METRICS["coverage"], Bounded(0.62, low=0.6, high=0.64))) == (
        "62 % ± 2.0 pt"
    )
    assert (
        words.measure_words(METRICS["roc_auc"], Undefined("no outcomes yet")) == "no outcomes yet"
    )


def test_an_interval_that_lies_to_one_side_is_told_by_its_ends():
    one = Bounded(1.0, low=0.207, high=1.0, n=1)
    assert words.measure_words(METRICS["accuracy_score"], one) == "1.00 (0.207 to 1.00)"


def test_an_interval_that_says_nothing_is_not_told():
    wide = Bounded(11.9, low=0.000347, high=407_000.0, n=2)
    assert words.interval(METRICS["log_loss"], wide) == "too few rows to say"
    assert words.measure_words(METRICS["log_loss"], wide) == "11.9 (too few rows to say)"
    assert words.interval(METRICS["log_loss"], Bounded(0.5, low=0.0, high=2.0)) == "0 to 2.00"


def _point(hour, measure, *, coverage=1.0, final=False):
    return Point(Window(hour, hour + 1), 1, 0, final, 30, coverage, {}, measure)


def test_the_headline_is_the_newest_window_with_enough_labels():
    few, many = Bounded(1.0, low=0.207, high=1.0, n=1), Bounded(0.8, low=0.7, high=0.9, n=30)
    days = (_point(0, many), _point(1, many, coverage=0.5), _point(2, few, coverage=0.03))
    series = Series(METRICS["accuracy_score"], WindowSpec(DAY, HOUR), days, Bounded(0.77))
    assert series.telling == days[1]
    said = plain(words.series_sentence(series, series.telling))
    assert said.startswith(
        "Accuracy 0.800 ± 0.100 over 24 h until 1 Jan 1970, 00:00 UTC, 0.030 over"
    )
    assert replace(series, points=days[2:]).telling == days[2]
    assert replace(series, points=()).telling is None
    hardly = _point(3, many, coverage=0.1)
    assert replace(series, points=(*days, hardly)).telling == days[1]
    assert replace(series, points=(*days, replace(hardly, final=True))).telling.final
    unlabelled = replace(series, metric=METRICS["mean_score"], points=(*days, hardly))
    assert unlabelled.telling == hardly


def test_a_difference_has_a_side_and_percent_points_are_pt():
    assert words.difference(METRICS["roc_auc"], Bounded(0.712), Bounded(0.742)) == "0.030 under"
    assert (
        plain(words.difference(METRICS["label_rate"], Bounded(0.3), Bounded(0.25))) == "5.0 pt over"
    )
    assert words.difference(METRICS["roc_auc"], Bounded(0.7), Bounded(0.7)) == "as"
    assert words.difference(METRICS["roc_auc"], Undefined("x"), Bounded(0.7)) is None


def test_worse_is_said_only_when_the_interval_is_sure():
    assert words.worse(METRICS["roc_auc"], Bounded(0.6, low=0.5, high=0.69), Bounded(0.7))
    assert not words.worse(METRICS["roc_auc"], Bounded(0.6, low=0.5, high=0.71), Bounded(0.7))
    assert words.worse(METRICS["log_loss"], Bounded(0.6, low=0.55, high=0.7), Bounded(0.5))
    assert not words.worse(METRICS["mean_score"], Bounded(0.6, low=0.55, high=0.7), Bounded(0.5))


def test_a_time_names_the_year_unless_it_is_this_one():
    now = datetime(2014, 3, 1, tzinfo=UTC)
    old = from_datetime(datetime(2013, 5, 1, 14, tzinfo=UTC))
    fresh = from_datetime(datetime(2014, 2, 1, 14, tzinfo=UTC))
    assert ">1 May 2013, 14:00 UTC<" in plain(words.time_element(old, now=now))
    assert ">1 Feb, 14:00 UTC<" in plain(words.time_element(fresh, now=now))


@pytest.mark.parametrize(
    ("span", "written"),
    [(3 * HOUR, "3 h"), (DAY, "1 day"), (50 * HOUR, "2 days"), (90_000_000, "1 min"), (5, "0 s")],
)
def test_how_long_something_lasted_is_in_its_largest_unit(span, written):
    assert plain(words.lasting(span)) == written


@pytest.mark.parametrize(
    ("size", "written"), [(DAY, "24 h"), (7 * DAY, "7 days"), (15 * MINUTE, "15 min")]
)
def test_windows_are_named_as_people_do(size, written):
    assert plain(words.duration(size)) == written


def test_names_in_a_sentence_are_code_and_never_markup():
    assert words.sentence("`<b>` has moved; <i>") == ("<code>&lt;b&gt;</code> has moved; &lt;i&gt;")


def test_the_charts_have_the_colours_of_the_page():
    css = (files("tocsin.web") / "static" / "tocsin.css").read_text()
    light, dark = re.findall(r":root \{(.*?)\}", css, re.S)[:2]
    for block, tokens in ((light, LIGHT), (dark, DARK)):
        found = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", block))
        shared = {name.replace("_", "-") for name in vars(tokens)} & set(found)
        assert {"paper", "ink", "ink-2", "hair", "data", "bar", "past", "breach"} <= shared
        for name in shared:
            assert found[name] == getattr(tokens, name.replace("-", "_")), name


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_words_can_be_read_against_the_page(scheme):
    css = (files("tocsin.web") / "static" / "tocsin.css").read_text()
    block = re.findall(r":root \{(.*?)\}", css, re.S)[scheme]
    found = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", block))
    for name in ("ink", "ink-2", "accent", "good", "watch", "breach", "unknown"):
        for ground in ("paper", "raised"):
            assert contrast(found[name], found[ground]) >= 4.5, (name, ground)


def contrast(one, other):
    """The ratio of WCAG 2."""

    def luminance(colour):
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return sum(w * p for w, p in zip((0.2126, 0.7152, 0.0722), linear, strict=True))

    bright, faint = sorted((luminance(one), luminance(other)), reverse=True)
    return (bright + 0.05) / (faint + 0.05)


def test_a_rebuild_says_how_far_it_is_and_outcomes_why_they_cannot_count():
    begun = model_words.rebuilding_sentence(Rebuilding("late", 12, 90))
    assert plain(begun).startswith("The profiles are being rebuilt: 12 of 90 days.")
    assert model_words.rebuilding_sentence(Rebuilding("late", None, None)).startswith(
        "The profiles wait to be rebuilt."
    )
    far = {"outcomes_too_late": 3, "outcomes_too_early": 1}
    said = plain(model_words.uncountable_sentence(far, 30 * DAY))
    assert said == "3 later than 30 days after their prediction, 1 more than a day before it"
    assert model_words.uncountable_sentence({}, DAY) == ""


def test_a_rule_that_learns_says_which_side_is_bad() -> None:
    def said(metric: str, op: Operator | None = None) -> str:
        return rule_words.rule_condition(Rule("R", metric, DAY, op, auto=True), METRICS)

    assert said("roc_auc") == "ROC AUC stays lower than usual"
    assert said("brier_score") == "Brier score stays higher than usual"
    assert said("mean_score") == "Mean score stays lower than usual, or higher than usual"
    assert said("mean_score", Operator.ABOVE) == "Mean score stays higher than usual"
