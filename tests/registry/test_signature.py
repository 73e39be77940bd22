"""What a signature says of the inputs and of the one number that regressions give."""

import numpy as np
import pandas as pd
import pytest
from mlflow.models import Model, infer_signature

from tocsin.registry.signature import signature_of
from tocsin.registry.tracking import Tracking
from tocsin.schema import Feature, Kind

INPUTS = pd.DataFrame({"at": pd.to_datetime(["2024-01-01", "2024-01-02"]), "x": [0.5, 1.5]})
OUTPUTS = {
    "an array": (np.array([0.5, 1.0]), True),
    "an array of one column": (np.array([[0.5], [1.0]]), True),
    "a series": (pd.Series([0.5, 1.0]), True),
    "a frame of one column": (pd.DataFrame({"y": [0.5, 1.0]}), True),
    "probabilities": (np.array([[0.5, 0.5], [0.0, 1.0]]), False),
    "probabilities with names": (pd.DataFrame({"no": [0.5, 1.0], "yes": [0.5, 0.0]}), False),
    "whole numbers": (np.array([0, 1]), False),
    "text": (np.array(["no", "yes"]), False),
    "nothing": (None, False),
}


@pytest.mark.filterwarnings("ignore:.*Inferred schema contains integer column:UserWarning")
@pytest.mark.parametrize("case", OUTPUTS)
def test_one_number_for_each_row_is_told_from_classes_and_probabilities(case, tmp_path):
    outputs, number = OUTPUTS[case]
    kept, copies = tmp_path / "model", tmp_path / "copies"
    kept.mkdir()
    copies.mkdir()
    Model(signature=infer_signature(INPUTS, outputs)).save(str(kept / "MLmodel"))
    found = signature_of(str(kept), Tracking("", "", None, copies), model="m")
    assert found.number is number
    assert found.inputs == (Feature("at", Kind.DATETIME), Feature("x", Kind.NUMERIC))
