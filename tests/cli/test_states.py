"""What `tocsin status` says."""

from tocsin.cli.states import model_lines, server_lines


def test_what_fails_is_told_with_its_model_and_when_it_is_tried_again() -> None:
    trouble = {"work": "fold", "model": "late", "error": "OSError: gone"}
    status = {
        "version": "1", "models": 2, "waiting_rows": 1_234, "changed_models": 0,
        "rebuilding": [
            {"model": "b", "days_done": 3, "days": 90},
            {"model": "c", "days_done": None, "days": None},
        ],
        "trouble": [{**trouble, "failures": 3, "again_s": 12.3}],
    }  # fmt: skip
    assert list(server_lines(status)) == [
        "Tocsin 1 monitors 2 models.",
        "1,234 rows wait to be folded.",
        "b: profiles are rebuilt, 3 of 90 days are done",
        "c: profiles wait to be rebuilt",
        "fold of late failed 3 times in a row, again in 12 s: OSError: gone",
    ]


def test_windows_that_wait_for_labels_do_not_look_stuck() -> None:
    status = {
        "version": "1", "models": 1, "waiting_rows": 0, "changed_models": 1,
        "rebuilding": [], "trouble": [],
    }  # fmt: skip
    said = "1 model has windows to evaluate; those whose labels are still coming wait for more of"
    first, _, waiting = server_lines(status)
    assert first == "Tocsin 1 monitors 1 model."
    assert waiting.startswith(said)
    assert "2 models have windows" in list(server_lines({**status, "changed_models": 2}))[2]


def test_outcomes_that_cannot_count_are_told_with_the_reason() -> None:
    model = {
        "name": "late",
        "version": "1",
        "condition": "no data",
        "notes": [],
        "rebuilding": None,
    }
    lines = list(model_lines({**model, "counts": {"outcomes_too_late": 3}}))
    assert lines[1:] == [
        "  0 predictions",
        "  3 outcomes are later than labels.max after their prediction: not counted",
    ]
