"""Statistics of drift that Evidently finds on two files: reference, rows, numbers, categories."""

import json
import sys

import evidently
import pandas as pd
from evidently.legacy.calculations.stattests import get_stattest
from evidently.legacy.core import ColumnType

METHODS = {
    ColumnType.Numerical: ("wasserstein",),
    ColumnType.Categorical: ("jensenshannon", "psi", "hellinger"),
}

before, now = (pd.read_parquet(file) for file in sys.argv[1:3])
columns = dict(zip(METHODS, (names.split(",") for names in sys.argv[3:5]), strict=True))
found = {}
for kind, names in columns.items():
    for name in names:
        for method in METHODS[kind]:
            test = get_stattest(before[name], now[name], kind, method)
            result = test(before[name].dropna(), now[name].dropna(), kind, None)
            found[f"{name}/{method}"] = float(result.drift_score)
print(json.dumps({"version": evidently.__version__, "found": found}))
