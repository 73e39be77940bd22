"""Files of monitors: what is wrong is told at its place, all of it at once."""

import json

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.declared.faulty import FAULTY, GOOD_RULE, HEAD, OPS, RECEIVERS, RULES, Faulty

from tocsin.declared.configuration import Checked, Source, check
from tocsin.declared.json_schema import monitors_schema
from tocsin.declared.strict_yaml import read
from tocsin.declared.yaml_text import as_yaml
from tocsin.errors import ConfigurationError

WITH_NULLS = """\
apiVersion: tocsin/v1
monitors:
- name: late
  schema:
    features: [{{name: carrier, kind: categorical, was: {}}}]
    score: p
    label: late
  rules:
  - alert: Nulls
    expr: {{metric: null_rate, by: {}, window: 1h, value: auto}}
"""
TOLD = """\
apiVersion: tocsin/v1
monitors:
- name: late
  model: models:/late@champion
  reference: {dataset: training}
"""
GOOD = [
    "apiVersion: tocsin/v1\n",
    HEAD,
    RULES + GOOD_RULE,
    HEAD + "  windows: [1h, 24h]\n  join: {on: [carrier], within: 7d}\n",
    HEAD + "  reference: ref.parquet\n",
    HEAD + "  reference: {dataset: training}\n",
    HEAD + "  reference: {window: 28d}\n",
    HEAD + "  segments: [carrier, {name: far, where: 'distance > 500'}]\n",
    HEAD + "  drift: {method: psi, threshold: 0.2, features: {carrier: {threshold: 0.3}}}\n",
    HEAD + "  quality: {features: {distance: {null_rate: 0.1, range: [0, 3000]}, carrier: off}}\n"
    .replace("off", '"off"'),
    HEAD + "  rules: []\n  publish: false\n  privacy: {hash: [tail]}\n",
    WITH_NULLS.format("[airline]", "[feature]"),
    WITH_NULLS.format("airline", "feature"),
    OPS + "route: {receiver: ops, routes: [{matchers: 'team=\"a\"', receiver: log}]}\n",
    OPS + "mute_times: [{name: n, intervals: [{days_of_month: [1, '-7:-1'], months: [may]}]}]\n",
    OPS + "inhibit_rules: []\n",
    RECEIVERS + "- {name: ops, slack: {webhook_url_env: HOOK}}\n",
    HEAD + "  task: binary\n  source: log\n  metrics: [f1_score, {name: m, sum: distance}]\n",
    TOLD,
    TOLD + "  schema: {label: late}\n  task: regression\n",
    RULES + "  - alert: A\n    expr: {metric: latency_p99, window: 1h, op: '>', value: 250ms}\n"
    "    for: 0\n",
    RECEIVERS + "- {name: m, email: {to: [a@b.example], from: c@b.example, host: h}}\n",
]  # fmt: skip


def checked(*texts: str) -> Checked:
    return check([Source(f"{chr(97 + i)}.yaml", text) for i, text in enumerate(texts)])


def plain(text: str) -> object:
    node, _ = read(text, "a.yaml")
    return None if node is None else node.value


@pytest.mark.parametrize("faulty", FAULTY, ids=lambda faulty: faulty.name)
def test_a_fault_is_told_with_its_file_line_field_and_remedy(faulty: Faulty) -> None:
    faults = checked(faulty.text).faults
    assert faults, "nothing was found"
    at_line = [fault for fault in faults if fault.place.line == faulty.line]
    told = [str(fault) for fault in at_line]
    assert any(all(word in text for word in faulty.words) for text in told), list(map(str, faults))
    assert all(text.startswith(f"a.yaml:{faulty.line}:") for text in told)
    assert all(fault.place.column >= 1 for fault in faults)


def test_there_are_enough_faulty_files() -> None:
    assert len(FAULTY) >= 60
    assert len({faulty.name for faulty in FAULTY}) == len(FAULTY)


@pytest.mark.parametrize("faulty", FAULTY, ids=lambda faulty: faulty.name)
def test_one_thing_that_is_wrong_is_one_fault(faulty: Faulty) -> None:
    faults = checked(faulty.text).faults
    # A secret in the wrong field leaves the right one empty.
    most = 2 if faulty.name in ("a routing key", "a password", "a rule twice") else 1
    assert len(faults) <= most, list(map(str, faults))


@pytest.mark.parametrize("faulty", [each for each in FAULTY if each.schema], ids=lambda f: f.name)
def test_the_schema_refuses_what_a_schema_can(faulty: Faulty) -> None:
    document = plain(faulty.text)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document, monitors_schema())


@pytest.mark.parametrize("text", GOOD)
def test_the_schema_takes_what_check_takes(text: str) -> None:
    assert checked(text).faults == ()
    jsonschema.validate(plain(text), monitors_schema())


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(monitors_schema())
    assert json.loads(json.dumps(monitors_schema())) == monitors_schema()


def test_all_faults_are_told_at_once_in_the_order_of_the_files() -> None:
    bad = RULES + "".join(
        f"  - alert: R{i}\n    expr: {{metric: {metric}, window: {window}, op: '<', value: 1}}\n"
        for i, (metric, window) in enumerate([("nope", "24h"), ("roc_auc", "2h"), ("roc_auc", "1")])
    )
    faults = checked(bad, HEAD.replace("late\n  schema", "b/c\n  schema")).faults
    assert [(fault.place.file, fault.place.line) for fault in faults] == [
        ("a.yaml", 12),
        ("a.yaml", 14),
        ("a.yaml", 16),
        ("b.yaml", 3),
    ]
    with pytest.raises(ConfigurationError) as refused:
        checked(bad).good()
    assert "3 faults in a.yaml" in str(refused.value)
    assert [fault["field"] for fault in refused.value.faults] == [
        "monitors.late.rules.R0.expr.metric",
        "monitors.late.rules.R1.expr.window",
        "monitors.late.rules.R2.expr.window",
    ]


def test_a_rule_without_form_hides_no_other() -> None:
    text = RULES + "  - alert: A\n    exp: {}\n  - alert: B\n    expr: {metric: x, window: 1h, "
    faults = checked(text + "op: '<', value: 1}\n").faults
    assert [fault.place.line for fault in faults] == [11, 12, 14]


def test_files_go_together() -> None:
    other = HEAD.replace("name: late", "name: other")
    configuration = checked(HEAD, other).good()
    assert [monitor.name for monitor in configuration.monitors] == ["late", "other"]
    (fault,) = checked(HEAD, HEAD).faults
    assert str(fault).startswith("b.yaml:3:3: monitors.late.name: 'late' is at a.yaml:3:3 already")


def test_routes_in_one_file_name_receivers_of_another() -> None:
    route = "apiVersion: tocsin/v1\nroute: {receiver: ops}\n"
    assert checked(OPS, route).faults == ()
    (fault,) = checked(OPS.replace("ops", "other"), route).faults
    assert str(fault).startswith("b.yaml:2:9: route.receiver: there is no receiver 'ops'")
    (fault,) = checked(OPS, route, route).faults
    assert str(fault).startswith("c.yaml:2:1: route: it is at b.yaml:2:1 already")


def test_secrets_are_not_repeated() -> None:
    for faulty in FAULTY:
        for fault in checked(faulty.text).faults:
            for secret in ("services/T0", "R0123456789", "hunter2", "xoxb-12345678901", ":pw@"):
                assert secret not in str(fault)


def test_anchors_and_merges_are_read() -> None:
    text = RULES + (
        "  - &low\n    alert: A\n    expr: {metric: roc_auc, window: 24h, op: '<', value: 0.7}\n"
        "  - {<<: *low, alert: B}\n"
    )
    (monitor,) = checked(text).good().monitors
    first, second = monitor.document["rules"]
    assert second == {**first, "alert": "B"}


def test_aliases_that_grow_without_end_are_told() -> None:
    layers = "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 12))
    faults = checked(f"a0: &a0 [x]\n{layers}").faults
    assert any("aliases repeat" in str(fault) for fault in faults)
    assert any("aliases repeat" in str(fault) for fault in checked("a: &a [*a]\n").faults)


def test_a_file_that_is_json_is_read_too() -> None:
    document = {"apiVersion": "tocsin/v1", "monitors": [], "receivers": []}
    assert checked(json.dumps(document)).good().to_document() == document


_SCALARS = st.none() | st.booleans() | st.integers() | st.text() | st.floats(
    allow_nan=False, allow_infinity=False)  # fmt: skip


@settings(max_examples=40)
@given(st.recursive(_SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_what_is_written_as_yaml_is_read_as_it_was(value: object) -> None:
    node, faults = read(as_yaml(value), "a.yaml")
    assert node is not None
    assert (node.value, faults) == (value, [])


@pytest.mark.parametrize("text", ["1e5", "0o17", "yes", "null", "007", ".inf", "=", "<<", "", " "])
def test_text_that_looks_like_something_else_is_quoted(text: str) -> None:
    node, faults = read(as_yaml({text: [text], "a": text}), "a.yaml")
    assert node is not None
    assert (node.value, faults) == ({text: [text], "a": text}, [])


@settings(max_examples=60)
@given(st.text())
def test_no_text_is_more_than_faults(text: str) -> None:
    check([Source("a.yaml", text)])


def test_the_digest_is_of_the_content_and_not_of_its_order() -> None:
    turned = RULES.replace("    score: p\n    label: late\n", "    label: late\n    score: p\n")
    assert checked(RULES + GOOD_RULE).good().digest == checked(turned + GOOD_RULE).good().digest
    assert checked(HEAD).good().digest != checked(RULES + GOOD_RULE).good().digest
