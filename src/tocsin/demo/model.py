"""A model that tells which flights will be late, trained and registered in MLflow as usual."""

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray

from tocsin.demo.flights import CATEGORICAL, FEATURES, HOME

if TYPE_CHECKING:
    import pandas as pd

NAME = "flight-delay"
ALIAS = "champion"
URI = f"models:/{NAME}@{ALIAS}"
LABEL = "late"
SCORE = "probability_late"
FOLDS = 5
ITERATIONS = 60

# MLflow forgets which columns were targets and predictions once a dataset is logged; with these
# tags on the dataset input, Tocsin finds them again.
_ROLES = {"tocsin.label": LABEL, "tocsin.score": SCORE}
_PROXY = "/api/2.0/mlflow-artifacts/artifacts"


def train(
    flights: "pd.DataFrame", *, tracking_uri: str, months: Sequence[int] = (1, 2, 3, 4)
) -> str:
    """Fits the model on some months and registers it as `flight-delay@champion`.

    The run keeps its training rows as Parquet, each with the probability given by a model that has
    not seen its week (five folds of whole weeks): that performance can be expected in production,
    where the probabilities of the fitted model itself would flatter. Flights that never arrived
    stay among the rows, without a label: they will be scored in production too.

    Returns: the registered version.
    """
    import mlflow
    from mlflow.models import infer_signature

    months_of_rows = flights["scheduled"].dt.tz_convert(HOME).dt.month
    rows = flights[months_of_rows.isin(months)].reset_index(drop=True)
    model = _fitted(rows)
    few = rows[list(FEATURES)].head(1000)
    with tracking_at(tracking_uri), mlflow.start_run(run_name=f"train {NAME}") as run:
        mlflow.log_params({"months": list(months), "iterations": ITERATIONS, "folds": FOLDS})
        _log_reference(rows.assign(**{SCORE: _out_of_fold(rows)}), run, tracking_uri)
        logged = mlflow.sklearn.log_model(
            model,
            name=NAME,
            signature=infer_signature(few, model.predict_proba(few)),
            # Otherwise the served model answers 0 or 1, and there is no score to monitor.
            pyfunc_predict_fn="predict_proba",
            skops_trusted_types=_skops_types(model),
            # Otherwise MLflow finds them by running the model in another process, for seconds.
            pip_requirements=["pandas", "scikit-learn", "skops"],
        )
        version = mlflow.register_model(logged.model_uri, NAME)
        mlflow.MlflowClient().set_registered_model_alias(NAME, ALIAS, version.version)
    return str(version.version)


def _fitted(rows: "pd.DataFrame") -> Any:
    from sklearn.compose import ColumnTransformer
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OrdinalEncoder

    # The trees read a negative category as missing, so an airport never seen does no harm.
    encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    trees = HistGradientBoostingClassifier(
        categorical_features=list(range(len(CATEGORICAL))),
        max_iter=ITERATIONS,
        max_leaf_nodes=15,
        min_samples_leaf=100,
        early_stopping=False,
        random_state=0,
    )
    columns = [("categories", encoder, list(CATEGORICAL))]
    arrived = rows[rows[LABEL].notna()]
    return make_pipeline(ColumnTransformer(columns, remainder="passthrough"), trees).fit(
        arrived[list(FEATURES)], arrived[LABEL].astype("int8")
    )


def _out_of_fold(rows: "pd.DataFrame") -> NDArray[np.float64]:
    """For each row, the probability from a model fitted without the rows of its week."""
    from sklearn.model_selection import GroupKFold

    # By weeks, as flights of one day share their weather: random folds would leak it.
    weeks = rows["scheduled"].dt.tz_convert(HOME).dt.day_of_year // 7
    probability = np.empty(len(rows))
    for seen, unseen in GroupKFold(FOLDS).split(rows, groups=weeks):
        features = rows.iloc[unseen][list(FEATURES)]
        probability[unseen] = _fitted(rows.iloc[seen]).predict_proba(features)[:, 1]
    return probability


def _skops_types(model: Any) -> list[str]:
    """The types of our own model that skops, in which MLflow keeps it, would refuse to load."""
    import skops.io

    return list(skops.io.get_untrusted_types(data=skops.io.dumps(model)))


def _log_reference(rows: "pd.DataFrame", run: Any, tracking_uri: str) -> None:
    """Keeps the training rows as an artifact, and names it as the source of the run's dataset."""
    import mlflow

    reference = rows[[*FEATURES, LABEL, SCORE]]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "training.parquet"
        reference.to_parquet(file, index=False)
        mlflow.log_artifact(str(file), "reference")
    artifact = f"{run.info.artifact_uri}/reference/{file.name}"
    # mlflow.data cannot load `mlflow-artifacts:` addresses: give the one behind them.
    proxied = urlsplit(artifact).scheme == "mlflow-artifacts"
    source = f"{tracking_uri}{_PROXY}{urlsplit(artifact).path}" if proxied else artifact
    dataset = mlflow.data.from_pandas(
        # Int8 with nulls has no MLflow type; its float column means the same.
        reference.astype({LABEL: "float64"}),
        source=source,
        targets=LABEL,
        predictions=SCORE,
        name="flights",
    )
    mlflow.log_input(dataset, context="training", tags=_ROLES)


@contextmanager
def tracking_at(uri: str) -> Iterator[None]:
    """MLflow's log and load functions know their server only by a global; here it is put back."""
    import mlflow

    variable = "MLFLOW_TRACKING_URI"  # set_tracking_uri overwrites it
    uri_before, variable_before = mlflow.get_tracking_uri(), os.environ.get(variable)
    by_call = mlflow.is_tracking_uri_set() and uri_before != variable_before
    mlflow.set_tracking_uri(uri)
    try:
        yield
    finally:
        mlflow.set_tracking_uri(uri_before if by_call else None)
        os.environ.pop(variable, None)
        if variable_before is not None:
            os.environ[variable] = variable_before
