"""What keeps failing is tried again, ever less often."""

from tocsin.service.trouble import LONGEST_PAUSE_S, Trouble


def test_a_pause_doubles_up_to_the_longest_and_begins_anew_after_a_success() -> None:
    now = [0.0]
    trouble = Trouble(lambda: now[0])
    pauses = [trouble.failed("fold", "late", OSError("gone")) for _ in range(20)]

    assert pauses[:4] == [0.1, 0.2, 0.4, 0.8]
    assert pauses[-1] == LONGEST_PAUSE_S
    trouble.passed("fold", "late")
    assert trouble.failing() == []
    assert trouble.failed("fold", "late", OSError("gone")) == pauses[0]


def test_only_the_work_that_failed_rests_and_only_until_its_time() -> None:
    now = [0.0]
    trouble = Trouble(lambda: now[0])
    trouble.failed("fold", "late", OSError("gone"))

    assert trouble.rests("fold", "late")
    assert not trouble.rests("evaluate", "late")
    assert not trouble.rests("fold", "other")
    now[0] = 0.11
    assert not trouble.rests("fold", "late")
    assert [(f.model, f.again_s) for f in trouble.failing()] == [("late", 0.0)]


def test_whoever_cannot_wait_lets_all_be_tried_now() -> None:
    trouble = Trouble(lambda: 0.0)
    trouble.failed("fold", "late", OSError("gone"))
    trouble.rest_no_more()

    assert not trouble.rests("fold", "late")
    assert trouble.failing()[0].failures == 1


def test_a_model_that_is_gone_has_no_trouble() -> None:
    trouble = Trouble(lambda: 0.0)
    trouble.failed("fold", "late", OSError("gone"))
    trouble.failed("deliver", None, OSError("no network"))
    trouble.failed("delete", "late", OSError("gone"))
    trouble.forget("late", but="delete")

    assert [failing.work for failing in trouble.failing()] == ["delete", "deliver"]
