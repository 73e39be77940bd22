"""A monitor in a file whose reference is what its model was trained on."""

from dataclasses import replace

import pytest

from tocsin.app import opened
from tocsin.declared.configuration import Source, check
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
