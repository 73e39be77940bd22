"""Accuracy and AUC that NannyML's CBPE estimates: reference, rows, rows of a chunk."""

import json
import sys

import nannyml
import pandas as pd

reference, rows, size = sys.argv[1:]
estimator = nannyml.CBPE(
    y_pred_proba="score",
    y_pred="prediction",
    y_true="label",
    problem_type="classification_binary",
    metrics=["accuracy", "roc_auc"],
    chunk_size=int(size),
)
estimator.fit(pd.read_parquet(reference))
found = estimator.estimate(pd.read_parquet(rows)).filter(period="analysis").to_df()
values = {name: found[name]["value"].tolist() for name in ("accuracy", "roc_auc")}
print(json.dumps({"version": nannyml.__version__, **values}))
