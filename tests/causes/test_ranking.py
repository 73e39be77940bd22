"""The right cause is first, and clean windows have none."""

import json

import numpy as np
import pytest
from tests.causes import world
from tests.causes.world import CITIES, PLAN, REFERENCE, causes_of, folded, people
from tests.profiles.synthetic import plan_of

from tocsin.causes import Cause, Likelihood, rank
from tocsin.profiles import Grouping, NumericColumn, Profile, Rows, fold_predictions

FAULTS = [
    (world.lost, "nulls", "income", "has no value"),
    (world.in_cents, "out_of_range", "income", "outside the range"),
    (world.unknown_city, "unseen", "city", "values the reference never had"),
    (world.stuck_age, "stuck", "age", "is stuck"),
    (world.stuck_city, "stuck", "city", "is stuck"),
    (world.permuted_cities, "relabelled", "city", "changed places"),
    (world.older, "covariate", "age", "has moved"),
    (world.taller, "out_of_range", "height", "outside the range"),
]


@pytest.mark.parametrize("rows", [500, 2_000])
@pytest.mark.parametrize(("fault", "kind", "feature", "words"), FAULTS)
def test_a_fault_of_the_data_is_first_and_named(fault, kind, feature, words, rows: int) -> None:
    for seed in range(6):
        found = causes_of(fault, seed=seed, rows=rows, labels=False)
        assert found, (seed, "nothing found")
        assert (found[0].kind, found[0].feature) == (kind, feature), (seed, found)
        assert words in found[0].sentence
        assert f"`{feature}`" in found[0].sentence


@pytest.mark.parametrize(("fault", "kind", "feature"), [case[:3] for case in FAULTS])
def test_labels_do_not_hide_a_fault_of_the_data(fault, kind, feature) -> None:
    found = causes_of(fault, seed=9)
    assert (found[0].kind, found[0].feature) == (kind, feature)


@pytest.mark.parametrize("fault", [world.other_world, world.swapped_labels])
def test_other_outcomes_at_the_same_scores_are_called_concept(fault) -> None:
    for seed in range(6):
        found = causes_of(fault, seed=seed)
        assert found
        assert (found[0].kind, found[0].feature) == ("concept", None), (seed, found)
        assert "other outcomes" in found[0].sentence


@pytest.mark.parametrize("fault", [world.other_world, world.swapped_labels])
def test_nobody_knows_of_other_outcomes_before_there_are_any(fault) -> None:
    assert causes_of(fault, labels=False) == ()


def test_a_version_that_nobody_saw_before_is_named() -> None:
    found = causes_of(versions=({"3": 9_000.0}, {"3": 600.0, "4": 400.0}))
    assert (found[0].kind, found[0].feature) == ("new_version", None)
    assert found[0].sentence == "version 4 is new and made 40% of the predictions"
    assert found[0].verdict is Likelihood.LIKELY


@pytest.mark.parametrize(
    "versions",
    [
        ({"3": 9_000.0}, {"3": 1_000.0}),
        ({"3": 9_000.0}, {"3": 990.0, "4": 10.0}),
        ({}, {"4": 1_000.0}),
        ({"3": 1.0, "4": 1.0}, {"4": 1_000.0}),
    ],
)
def test_a_version_that_is_known_or_rare_or_the_very_first_is_no_cause(versions) -> None:
    assert causes_of(seed=3, versions=versions) == ()


@pytest.mark.parametrize(("rows", "labels"), [(200, True), (1_000, True), (1_000, False)])
def test_clean_windows_have_no_cause_in_at_least_90_of_100(rows: int, labels: bool) -> None:
    clean = [causes_of(seed=seed, rows=rows, labels=labels) == () for seed in range(100)]
    assert np.mean(clean) >= 0.9


@pytest.mark.parametrize("past", [0, 1, 6])
@pytest.mark.parametrize("fault", [case[0] for case in FAULTS])
def test_without_enough_past_nothing_is_called_unusual(fault, past: int) -> None:
    assert causes_of(fault, past=past) == ()


def test_what_is_asked_about_comes_first() -> None:
    def both(rng, seen):
        return world.older(rng, world.lost(rng, seen))

    plain = causes_of(both)
    assert {cause.feature for cause in plain} >= {"age", "income"}
    for name in ("age", "income"):
        asked = causes_of(both, about=[name])
        assert asked[0].feature == name
        assert set(asked) == set(plain)


def test_among_the_others_the_surer_cause_comes_first() -> None:
    def all_of_them(rng, seen):
        return world.other_world(rng, world.unknown_city(rng, world.older(rng, seen)))

    found = causes_of(all_of_them)
    assert len(found) >= 3
    assert [cause.score for cause in found] == sorted((c.score for c in found), reverse=True)
    assert all(0.3 <= cause.score <= 1 for cause in found)
    for cause in found:
        expected = Likelihood.LIKELY if cause.score >= 0.6 else Likelihood.POSSIBLE
        assert cause.verdict is expected


def test_a_feature_has_one_cause_the_most_specific() -> None:
    def nulls_and_cents(rng, seen):
        return world.lost(rng, world.in_cents(rng, seen))

    found = [cause for cause in causes_of(nulls_and_cents) if cause.feature == "income"]
    assert [cause.kind for cause in found] == ["nulls"]


def test_a_number_that_is_stuck_in_half_of_the_rows_is_at_least_a_shift_of_that_feature() -> None:
    for seed in range(6):
        cause = causes_of(world.half_stuck_age, seed=seed)[0]
        assert (cause.kind, cause.feature) == ("covariate", "age")


def test_a_column_that_was_always_half_empty_is_no_news() -> None:
    rng = np.random.default_rng(0)
    always = people(rng, 17_000)
    half = {"income": rng.uniform(size=17_000) < 0.5}
    stack = folded(PLAN, world.replace(always, null=half), 17)
    before, now = Profile(PLAN, stack.vector[:-1]), Profile(PLAN, stack.vector[-1])
    found = rank(REFERENCE, now, before, world.drift_of(before, now))
    assert "nulls" not in {cause.kind for cause in found}


def test_a_window_without_rows_has_no_cause() -> None:
    before = folded(PLAN, people(np.random.default_rng(0), 16_000), 16)
    now = Profile.zero(PLAN)
    assert rank(REFERENCE, now, before, world.drift_of(before, now)) == ()


def test_the_evidence_shows_the_shares_of_both_sides() -> None:
    cause = causes_of(world.unknown_city)[0]
    assert cause.evidence.bins == (*CITIES, "other", "unseen", "null")
    assert cause.evidence.regular == len(CITIES)
    assert sum(cause.evidence.reference) == pytest.approx(1)
    assert sum(cause.evidence.current) == pytest.approx(1)
    assert cause.evidence.reference[-2] == 0
    assert cause.evidence.current[-2] == pytest.approx(0.15, abs=0.05)
    assert f"{cause.evidence.current[-2]:.1%}" in cause.sentence


def test_a_cause_is_json() -> None:
    document = json.loads(json.dumps(causes_of(world.lost)[0].to_dict(), allow_nan=False))
    assert document["kind"] == "nulls"
    assert document["verdict"] in ("likely", "possible")
    assert len(document["evidence"]["bins"]) == len(document["evidence"]["current"])


def _twins(reliance: dict[str, float], seed: int) -> list[Cause]:
    """Two features that the score says nothing of, and that have moved alike."""
    chance = np.random.default_rng(seed)

    def rows_of(n: int, moved: float) -> Rows:
        features = {
            name: NumericColumn(chance.normal(moved, 1, n), np.zeros(n, bool))
            for name in ("left", "right")
        }
        # Of both the same loss is expected, so that no change of it goes with a feature.
        score = np.where(np.arange(n) % 2, 0.3, 0.7)
        return Rows(score[:, None], (score >= 0.5).astype(np.int32), features)

    seen = rows_of(20_000, 0.0)
    scores = seen.scores[:, 0]
    plan = plan_of(scores, (chance.uniform(size=20_000) < scores).astype(float), **seen.features)

    def profiles(rows: Rows, windows: int) -> Profile:
        groups = np.repeat(np.arange(windows), len(rows) // windows).astype(np.int64)
        return fold_predictions(plan, rows, Grouping(groups, windows))[0]

    reference, past = profiles(seen, 1)[0], profiles(rows_of(16_000, 0.0), 16)
    current = profiles(rows_of(1_000, 1.2), 1)[0]
    shifts = world.drift_of(past, current, reference)
    return list(rank(reference, current, past, shifts, reliance=reliance))


@pytest.mark.parametrize(("first", "second"), [("left", "right"), ("right", "left")])
def test_of_like_shifts_that_of_the_feature_the_model_relies_on_is_first(first, second) -> None:
    for seed in range(4):
        found = _twins({first: 1.0, second: 0.0}, seed)
        assert [(c.kind, c.feature) for c in found] == [
            ("covariate", first),
            ("covariate", second),
        ]
        assert found[0].sentence.endswith("of 2 features it is number 1 in importance")
        assert found[1].sentence.endswith("the model does not rely on it")


def test_where_no_importance_is_known_nothing_changes() -> None:
    plain = causes_of(world.older)
    assert causes_of(world.older, reliance={}) == plain
    assert causes_of(world.older, reliance={"income": 1.0}) == plain
    assert "importance" not in plain[0].sentence


def _older_lost_and_taller(rng, seen):
    older = world.older(rng, world.replace(seen, height=seen.height + 12))
    return world.lost(rng, older)


@pytest.mark.parametrize("relied_on", ["age", "height", "income"])
@pytest.mark.parametrize("labels", [True, False])
def test_importance_decides_only_between_scores_that_are_a_tenth_apart(relied_on, labels) -> None:
    reliance = dict.fromkeys(("age", "height", "income", "city"), 0.0) | {relied_on: 1.0}
    for seed in range(6):
        options = {"seed": seed, "labels": labels}
        plain = causes_of(_older_lost_and_taller, **options)
        raised = causes_of(_older_lost_and_taller, **options, reliance=reliance)
        before = {cause.feature: cause for cause in plain}
        assert {c.feature: c.verdict for c in raised} == {c.feature: c.verdict for c in plain}
        assert len(before) >= 3
        for i, ahead in enumerate(raised):
            for behind in raised[i + 1 :]:
                assert before[ahead.feature].score * 1.1 >= before[behind.feature].score
                if before[ahead.feature].score < before[behind.feature].score:
                    assert ahead.kind == "covariate"
