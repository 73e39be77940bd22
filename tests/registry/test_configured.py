"""A monitor in a file whose reference is what its model was trained on."""

from dataclasses import replace

import pytest

from tocsin.app import opened
from tocsin.declared.configuration import Checked, Source, check
from tocsin.declared.yaml_text import as_yaml
from tocsin.errors import ConfigurationError, RegistryError

from .conftest import OF_MLFLOW, PATIENTS

pytestmark = OF_MLFLOW

FILE = """\
apiVersion: tocsin/v1
monitors:
- name: coded
  model: {uri}
  reference: {{dataset: training}}
  schema:
    features:
    - {{name: age, kind: numeric}}
    - {{name: visits, kind: numeric}}
    - {{name: plan, kind: categorical}}
    - {{name: member, kind: boolean}}
    score: risk
    label: left
"""


@pytest.fixture
def app(settings, server):
    with opened(replace(settings, tracking_uri=server)) as opened_app:
        yield opened_app


def test_the_training_rows_come_from_mlflow_when_they_are_needed(app, register):
    first = check([Source("m.yaml", FILE.format(uri=register("coded")))])
    assert app.configure.apply(first, actor="anna").number == 1
    assert app.configure.plan(first).changes == ()
    assert app.read.model("coded").reference_rows == len(PATIENTS)

    uri = register("coded", rows=PATIENTS.iloc[:3])
    second = check([Source("m.yaml", FILE.format(uri=uri))])
    (changed,) = app.configure.plan(second).changes
    assert [each.field for each in changed.differences] == ["reference", "model"]
    app.configure.apply(second, actor="anna")
    assert app.read.model("coded").reference_rows == 3
    assert app.configure.plan(second).changes == ()


def test_a_model_that_mlflow_lacks_changes_nothing(app):
    checked = check([Source("m.yaml", FILE.format(uri="models:/nobody/1"))])
    with pytest.raises(RegistryError, match="nobody"):
        app.configure.apply(checked, actor="anna")
    assert app.configure.history() == []


def test_a_dataset_needs_a_model(app):
    text = FILE.format(uri="x").replace("  model: x\n", "")
    with pytest.raises(ConfigurationError, match=r"m\.yaml:3:3: .*add `model`"):
        app.configure.plan(check([Source("m.yaml", text)]))


SHORT = """\
apiVersion: tocsin/v1
monitors:
- name: coded
  model: {uri}
  reference: {{dataset: training}}
  task: binary
  source: log
  schema: {{label: left, score: risk, threshold: 0.4}}
  segments: [plan]
  metrics: [f1_score, roc_auc, calibration_slope]
  rules:
  - alert: Low
    expr: {{metric: {metric}, window: 24h, op: "<", value: 0.7}}
"""


def short(uri: str, metric: str = "f1_score") -> Checked:
    return check([Source("m.yaml", SHORT.format(uri=uri, metric=metric))])


def test_what_a_file_leaves_out_of_the_schema_mlflow_tells(app, register):
    checked = short(register("coded"))
    assert checked.faults == ()
    app.configure.apply(checked, actor="anna")

    detail = app.read.model("coded")
    assert [feature.name for feature in detail.monitor.schema.features] == list(PATIENTS)[:4]
    assert (detail.monitor.schema.threshold, detail.reference_rows) == (0.4, len(PATIENTS))
    assert list(detail.monitor.metrics)[:3] == ["f1_score", "roc_auc", "calibration_slope"]
    assert detail.overview.headline.metric.name == "f1_score"


def test_what_mlflow_told_stays_while_the_file_says_the_same(app, register):
    uri = register("coded")
    app.configure.apply(short(uri), actor="anna")
    register("coded", rows=PATIENTS.iloc[:3])

    assert app.configure.plan(short(uri)).changes == ()
    exported = as_yaml(app.configure.export())
    assert app.configure.plan(check([Source("m.yaml", exported)])).changes == ()


def test_a_fault_that_only_the_schema_shows_is_told_where_it_is(app, register):
    with pytest.raises(ConfigurationError, match=r"m\.yaml:13:12: .*there is no metric 'f2_score'"):
        app.configure.plan(short(register("coded"), metric="f2_score"))


def test_what_mlflow_does_not_know_is_asked_for(app, register):
    text = SHORT.format(uri=register("coded"), metric="f1_score").replace("left,", "gone,")
    with pytest.raises(RegistryError, match=r"monitor 'coded': .*give `label`.*`schema` may say"):
        app.configure.plan(check([Source("m.yaml", text)]))
