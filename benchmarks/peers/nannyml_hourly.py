"""Drift, performance and estimated performance (CBPE) by hour, with NannyML."""

import nannyml
import task

# Two, because the time grows with their number.
METRICS = ["roc_auc", "f1"]

reference, analysis = task.frames()
numbers, categories = task.features(reference)
hourly = {"timestamp_column_name": "timestamp", "chunk_period": "h"}
model = {
    "y_pred_proba": "score",
    "y_pred": "prediction",
    "y_true": "label",
    "problem_type": "classification_binary",
    "metrics": METRICS,
}
drift = nannyml.UnivariateDriftCalculator(
    column_names=[*numbers, *categories, "score"], treat_as_categorical=categories, **hourly
)
performance = nannyml.PerformanceCalculator(**model, **hourly)
estimation = nannyml.CBPE(**model, **hourly)

seconds = {}
for name, calculator, calculate in [
    ("drift", drift, drift.calculate),
    ("performance", performance, performance.calculate),
    ("CBPE", estimation, estimation.estimate),
]:
    seconds[f"{name} fit"], _ = task.timed(lambda fit=calculator.fit: fit(reference))
    seconds[name], _ = task.timed(lambda calculate=calculate: calculate(analysis))
task.report(nannyml.__version__, seconds)
