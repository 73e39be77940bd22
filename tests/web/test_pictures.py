"""What pictures say of themselves."""

from dataclasses import replace

import pytest

from tocsin.drift import Shift, Verdict
from tocsin.service.views import DriftPoint
from tocsin.values import HOUR, Window
from tocsin.web.pictures import drift_title, telling


def point(**verdicts: Verdict) -> DriftPoint:
    shifts = {
        name: Shift(0.2, 0.1, 0.5, 50, 20, None, None, verdict, "")
        for name, verdict in verdicts.items()
    }
    return DriftPoint(Window(0, HOUR), 50, shifts)


@pytest.mark.parametrize(
    ("verdicts", "said"),
    [
        ({"a": Verdict.NONE, "b": Verdict.NONE}, "No column of 2 has drifted"),
        (
            {"a": Verdict.LEARNING, "b": Verdict.INSUFFICIENT},
            "Of 2 columns no one can be judged yet",
        ),
        (
            {"a": Verdict.NONE, "b": Verdict.LEARNING},
            "1 of 2 columns have not drifted, the others cannot be judged yet",
        ),
        ({"a": Verdict.DRIFT, "b": Verdict.LEARNING}, "1 of 2 columns has drifted: a"),
    ],
)
def test_a_column_that_cannot_be_judged_is_not_called_well(verdicts, said) -> None:
    assert drift_title(point(**verdicts)) == said


def test_the_window_that_is_shown_is_one_that_can_be_judged() -> None:
    none, few = Verdict.NONE, Verdict.INSUFFICIENT
    day, night = point(a=none, b=none, c=few), point(a=few, b=few, c=none)
    assert telling([day, night]) is day
    assert telling([night, replace(night, rows=7)]) is night
    assert telling([replace(night, rows=7)]).rows == 7
