"""Monitors as code: what a plan says is what applying does, all of it or nothing."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.declared.faulty import GOOD_RULE, HEAD
from tests.world import Feed, monitor_document, reference

from tocsin.app import App
from tocsin.declared.configuration import Source, check
from tocsin.declared.yaml_text import as_yaml
from tocsin.engines import reference_digest
from tocsin.errors import ConfigurationError, NotAllowedError
from tocsin.lake import Lake, folder_at
from tocsin.records import audit, models
from tocsin.records.tables import episodes
from tocsin.service.configuration_files import Loaded, load
from tocsin.service.configure import Configure
from tocsin.service.plan import Action, Plan

OPS = "receivers:\n- {name: ops, webhook: {url: 'https://a.example/'}}\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "monitors"
    made.mkdir()
    pq.write_table(reference(400), made / "ref.parquet")
    return made


def written(folder: Path, text: str, name: str = "late.yaml") -> Loaded:
    (folder / name).write_text(text)
    loaded = load([folder])
    assert loaded.checked.faults == ()
    return loaded


def actions(plan: Plan) -> dict[str, str]:
    return {f"{each.kind}/{each.name}": str(each.action) for each in plan.things}


def applied(app: App, loaded: Loaded, **more: Any) -> int | None:
    tables = list(loaded.tables.values())
    return app.configure.apply(loaded.checked, tables, actor="anna", **more).number


MINE = HEAD + "  reference: ref.parquet\n"


def test_what_is_planned_is_done_and_then_there_is_nothing_to_do(app: App, folder: Path) -> None:
    loaded = written(folder, MINE + "  rules:\n" + GOOD_RULE + OPS)
    plan = app.configure.plan(loaded.checked)
    assert actions(plan) == {"monitors/late": "added", "receivers/ops": "added"}
    assert plan.missing == (reference_digest(reference(400)),)
    assert applied(app, loaded, basis=plan.basis) == 1

    again = app.configure.plan(loaded.checked)
    assert again.changes == ()
    assert again.missing == ()
    assert applied(app, loaded) is None
    assert [rule.name for rule in app.read.model("late").monitor.rules] == ["AucLow"]
    (noted,) = app.configure.history()
    assert (noted.number, noted.actor) == (1, "anna")
    assert noted.document["monitors"][0]["rules"][0]["alert"] == "AucLow"


def test_a_change_is_told_field_by_field(app: App, folder: Path) -> None:
    applied(app, written(folder, MINE + "  rules:\n" + GOOD_RULE + OPS))
    changed = GOOD_RULE.replace("value: 0.7,", "value: 0.71,").replace("for: 2", "for: 3")
    loaded = written(folder, MINE + "  rules:\n" + changed + OPS.replace("a.example", "b.example"))
    plan = app.configure.plan(loaded.checked)
    told = {d.field: (d.before, d.after) for each in plan.changes for d in each.differences}
    assert told == {
        "rules.AucLow.expr.value": (0.7, 0.71),
        "rules.AucLow.for": (2, 3),
        "webhook.url": ("https://a.example/", "https://b.example/"),
    }
    assert [each.costs for each in plan.changes] == [(), ()]
    assert applied(app, loaded) == 2
    assert app.configure.plan(loaded.checked).changes == ()


def test_only_what_files_brought_is_removed(app: App, folder: Path) -> None:
    app.register.add("other", monitor_document(), reference(300))
    app.receivers.put("mine", {"webhook": {"url": "https://c.example/"}})
    applied(app, written(folder, MINE + OPS))
    loaded = written(folder, "apiVersion: tocsin/v1\n")
    plan = app.configure.plan(loaded.checked)
    assert actions(plan) == {"monitors/late": "removed", "receivers/ops": "removed"}
    applied(app, loaded)
    with app.records.read() as connection:
        assert models.names(connection) == ["other"]
    assert set(app.receivers.all()) == {"log", "mine"}


def test_a_model_with_predictions_goes_only_when_that_is_allowed(app: App, folder: Path) -> None:
    applied(app, written(folder, MINE))
    feed = Feed(app, "late")
    feed.hours(0, 3, rows=10)
    feed.work()
    empty = written(folder, "apiVersion: tocsin/v1\n")
    (removed,) = app.configure.plan(empty.checked).changes
    assert removed.deletes == 30
    assert "30 predictions" in removed.costs[0]
    with pytest.raises(NotAllowedError, match="--delete-models"):
        applied(app, empty)
    with app.records.read() as connection:
        assert models.names(connection) == ["late"]
    applied(app, empty, delete=True)
    with app.records.read() as connection:
        assert models.names(connection) == []


def test_what_profiles_are_made_of_costs_a_rebuild(app: App, folder: Path) -> None:
    applied(app, written(folder, MINE))
    feed = Feed(app, "late")
    feed.hours(0, 3, rows=10)
    feed.work()
    loaded = written(folder, MINE + "  segments: [carrier]\n")
    (changed,) = app.configure.plan(loaded.checked).changes
    assert "anew from the 30 predictions" in changed.costs[0]
    applied(app, loaded)
    assert app.rebuild.waiting() == ["late"]
    feed.work()
    assert feed.total("n") == 30
    pq.write_table(reference(500), folder / "ref.parquet")
    loaded = load([folder])
    (changed,) = app.configure.plan(loaded.checked).changes
    assert [d.field for d in changed.differences] == ["reference"]
    assert changed.costs
    applied(app, loaded)
    assert app.configure.plan(loaded.checked).changes == ()


def test_faults_of_several_things_are_told_together_and_nothing_is_done(
    app: App, folder: Path
) -> None:
    other = MINE.replace("name: late", "name: other").replace("score: p", "score: q")
    third = MINE.replace("name: late", "name: third").replace("  reference: ref.parquet\n", "")
    loaded = written(folder, MINE + OPS)
    (folder / "other.yaml").write_text(other)
    (folder / "third.yaml").write_text(third)
    loaded = load([folder])
    with pytest.raises(ConfigurationError) as refused:
        applied(app, loaded)
    told = [(Path(f["file"]).name, f["line"], f["field"]) for f in refused.value.faults]
    assert told == [("other.yaml", 3, "monitors.other.name"),
                    ("third.yaml", 3, "monitors.third.name")]  # fmt: skip
    with app.records.read() as connection:
        assert models.names(connection) == []
    assert app.configure.history() == []
    assert list(app.receivers.all()) == ["log"]


def test_a_transaction_that_fails_half_way_leaves_nothing(
    app: App, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = written(folder, MINE + OPS)

    def full(*_: object, **__: object) -> int:
        raise OSError("the disk is full")

    monkeypatch.setattr("tocsin.service.configure.applied.add", full)
    with pytest.raises(OSError, match="full"):
        applied(app, loaded)
    with app.records.read() as connection:
        assert models.names(connection) == []
    assert list(app.receivers.all()) == ["log"]


def test_a_plan_that_is_old_is_not_applied(app: App, folder: Path) -> None:
    loaded = written(folder, MINE)
    basis = app.configure.plan(loaded.checked).basis
    app.receivers.put("ops", {"webhook": {"url": "https://c.example/"}})
    with pytest.raises(ConfigurationError, match="plan anew"):
        applied(app, loaded, basis=basis)


def test_who_changes_something_meanwhile_wins(app: App, folder: Path) -> None:
    def clock() -> int:
        # Between what takes long and the transaction.
        app.receivers.put("mine", {"webhook": {"url": "https://c.example/"}})
        return 1

    loaded = written(folder, MINE + OPS)
    lake = Lake(folder_at(str(app.settings.data / "lake"), {}))
    configure = Configure(app.records, app.register, app.delete, lake, clock, None)
    with pytest.raises(ConfigurationError, match="meanwhile"):
        configure.apply(loaded.checked, list(loaded.tables.values()), actor="anna")
    assert app.configure.history() == []
    assert set(app.receivers.all()) == {"log", "mine"}


def test_an_unchanged_rule_keeps_its_open_episode_when_others_change(
    app: App, folder: Path
) -> None:
    def rules(value: float, *more: str) -> str:
        expr = "{{metric: accuracy_score, window: 1h, op: '<', value: {}}}"
        rule = f"  - alert: {{}}\n    expr: {expr}\n"
        extra = "".join(rule.format(name, 0.01) for name in more)
        return MINE + "  rules:\n" + rule.format("Low", 0.9) + rule.format("Lower", value) + extra

    applied(app, written(folder, rules(0.85)))
    feed = Feed(app, "late")
    feed.hours(0, 8, flip_labels=True)
    feed.work()

    def open_episodes() -> dict[str, str]:
        with app.records.read() as connection:
            query = sa.select(episodes.c.rule, episodes.c.id).where(episodes.c.resolved.is_(None))
            return {row.rule: row.id for row in connection.execute(query)}

    before = open_episodes()
    assert set(before) == {"Low", "Lower"}
    loaded = written(folder, rules(0.8, "New").replace("alert: Lower", "alert: Renamed"))
    (changed,) = app.configure.plan(loaded.checked).changes
    assert "rule Lower goes, and 1 open alert of it ends" in changed.costs
    applied(app, loaded)
    feed.hours(8, 10, flip_labels=True)
    feed.work()
    after = open_episodes()
    assert after["Low"] == before["Low"]
    assert "Renamed" in after
    assert "Lower" not in after


ROUTE = """\
route:
  receiver: log
  routes:
  - {matchers: 'severity="critical"', receiver: ops, mute_times: [night]}
mute_times:
- name: night
  intervals: [{times: [{start: "00:00", end: "06:00"}]}]
"""


def test_who_is_told_is_planned_applied_exported_and_removed(app: App, folder: Path) -> None:
    applied(app, written(folder, MINE + OPS))
    loaded = written(folder, MINE + OPS + ROUTE)
    plan = app.configure.plan(loaded.checked)
    assert actions(plan)["routing/routing"] == "added"
    applied(app, loaded)
    assert app.configure.plan(loaded.checked).changes == ()
    told = [each.receiver for each in app.routings.test({"severity": "critical"})]
    assert told == ["ops"]
    exported = app.configure.export()
    assert exported["route"]["routes"][0]["receiver"] == "ops"
    assert app.configure.plan(check([Source("e.yaml", as_yaml(exported))])).changes == ()

    loaded = written(folder, MINE + OPS + ROUTE.replace("critical", "warning"))
    (changed,) = app.configure.plan(loaded.checked).changes
    assert [d.field for d in changed.differences] == ["route.routes"]
    applied(app, loaded)
    assert [each.receiver for each in app.routings.test({"severity": "critical"})] == ["log"]

    loaded = written(folder, MINE + OPS)
    (removed,) = app.configure.plan(loaded.checked).changes
    assert removed.action is Action.REMOVED
    applied(app, loaded)
    assert app.routings.document()["written"] is None


def test_routing_that_no_file_brought_stays(app: App, folder: Path) -> None:
    app.receivers.put("ops", {"webhook": {"url": "https://a.example/"}})
    app.routings.put(
        {"route": {"receiver": "ops", "routes": [{"matchers": 'team="a"', "continue": "true"}]}},
        actor="anna",
    )
    loaded = written(folder, MINE)
    assert "routing/routing" not in actions(app.configure.plan(loaded.checked))
    applied(app, loaded)
    assert app.routings.document()["written"]["route"]["receiver"] == "ops"
    checked = check([Source("e.yaml", as_yaml(app.configure.export()))])
    assert checked.faults == ()
    assert app.configure.plan(checked).changes == ()


def test_what_is_applied_is_in_the_audit(app: App, folder: Path) -> None:
    applied(app, written(folder, MINE + OPS))
    with app.records.read() as connection:
        found = audit.listed(connection, event="configuration", limit=10)
        assert audit.verified(connection).fault is None
    assert [(r.deed.actor, r.deed.after["number"], r.deed.after["added"]) for r in found] == [
        ("anna", 1, ["monitors/late", "receivers/ops"])
    ]


_RULES = st.lists(
    st.sampled_from(
        [
            {"alert": "A", "expr": {"metric": "roc_auc", "window": "24h", "op": "<",
                                    "value": "0.7"}},
            {"alert": "B", "expr": {"metric": "drift", "window": "1h"}, "for": 2},
            {"alert": "C", "expr": {"metric": "null_rate", "by": "feature", "window": "1h",
                                    "op": ">", "value": 0.1}, "labels": {"team": "yes"}},
        ]
    ),
    unique_by=lambda rule: rule["alert"],
)  # fmt: skip
_DOCUMENTS = st.fixed_dictionaries(
    {},
    optional={
        "version": st.sampled_from(["1.10", "yes", "007", "é"]),
        "windows": st.just(["1h", "24h"]),
        "rules": _RULES,
        "publish": st.sampled_from([True, False, "yes"]),
        "false_alarms": st.sampled_from([2, "0.5"]),
        "segments": st.sampled_from([["carrier"], [{"column": "carrier"}]]),
        "privacy": st.just({"hash": ["tail"]}),
        "quality": st.sampled_from([{"features": {"distance": {"range": [0, 9]}}}, {}]),
        "drift": st.just({"threshold": "0.2", "method": "psi"}),
    },
)


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(_DOCUMENTS, max_size=2))
def test_what_is_exported_changes_nothing(app: App, documents: list[dict[str, Any]]) -> None:
    """Whatever the API took: the export has no fault, and planning it finds nothing to do."""
    with app.records.read() as connection:
        names = models.names(connection)
    for name in names:
        app.delete.delete(name)
    for i, document in enumerate(documents):
        app.register.add(f"m{i}", monitor_document(**document), reference(60))
    mail = {"to": ["a@b.example"], "from": "c@b.example", "host": "h", "port": "25"}
    app.receivers.put("mail", {"email": mail, "fallback": "log"})
    exported = as_yaml(app.configure.export())
    checked = check([Source("export.yaml", exported)])
    assert checked.faults == (), exported
    plan = app.configure.plan(checked)
    assert plan.changes == ()
    assert {each.action for each in plan.things} == {Action.UNCHANGED}
    app.configure.apply(checked, actor="anna")
    assert app.configure.export() == checked.configuration.to_document()


def test_a_reference_is_known_again_however_it_was_stored(tmp_path: Path) -> None:
    table = pa.table(
        {
            "a": pa.array([1.5, None, 2.5, float("nan")]),
            "b": pa.array(["x", None, "", "y"]),
            "c": pa.array([True, None, False, True]),
            "t": pa.array([1, 2, None, 4], pa.timestamp("us", "UTC")),
            "l": pa.array([[1], None, [], [2, 3]]),
        }
    )
    digest = reference_digest(table)
    chunked = pa.concat_tables([table.slice(0, 1), table.slice(1)])
    turned = table.select(["t", "b", "a", "l", "c"])
    encoded = table.set_column(1, "b", table["b"].dictionary_encode())
    pq.write_table(table, tmp_path / "t.parquet", row_group_size=2)
    for same in (chunked, turned, encoded, pq.read_table(tmp_path / "t.parquet")):
        assert reference_digest(same) == digest
    for other in (
        table.slice(1),
        table.rename_columns(["a", "c", "b", "t", "l"]),
        table.set_column(1, "b", pa.array(["x", "", None, "y"])),
        table.set_column(0, "a", pa.array([1.5, None, 2.5, 3.0])),
    ):
        assert reference_digest(other) != digest


def test_a_label_that_no_rule_will_have_is_told_at_its_place(app: App, folder: Path) -> None:
    lines = "route:\n  receiver: ops\n  group_by: [model, region]\n  routes:\n" + (
        "  - {receiver: ops, matchers: ['zone=\"a\"']}\ninhibit_rules:\n- source_matchers: "
        "['severity=\"critical\"']\n  target_matchers: ['severity=\"info\"']\n  equal: [team]\n"
    )
    loaded = written(folder, MINE + OPS + lines)
    with pytest.raises(ConfigurationError) as told:
        app.configure.plan(loaded.checked)
    assert [(f["field"], f["message"].partition(";")[0]) for f in told.value.faults] == [
        ("route.group_by.1", "no rule has a label 'region'"),
        ("inhibit_rules.0.equal.0", "no rule has a label 'team'"),
    ]
    # Of a model that no file has, and of a rule that comes with the files.
    rules = [{"alert": "D", "expr": {"metric": "drift", "window": "1h"}, "labels": {"region": "n"}}]
    app.register.add("other", monitor_document(rules=rules), reference(300))
    loaded = written(folder, MINE + "  rules:\n" + GOOD_RULE + OPS + lines)
    assert applied(app, loaded) == 1
