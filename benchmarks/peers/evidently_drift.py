"""Drift of all features over all rows, with Evidently."""

from typing import Any

import evidently
import task
from evidently import DataDefinition, Dataset, Report
from evidently.presets import DataDriftPreset

METHODS = {"default": {}, "jensenshannon": {"method": "jensenshannon"}}

reference, current = task.frames()
numbers, categories = task.features(reference)
definition = DataDefinition(numerical_columns=numbers, categorical_columns=categories)


def drift(rows: int | None = None, **method: str) -> dict[str, Any]:
    before, now = (
        Dataset.from_pandas(frame[[*numbers, *categories]][:rows], data_definition=definition)
        for frame in (reference, current)
    )
    return Report([DataDriftPreset(**method)]).run(current_data=now, reference_data=before).dict()


drift(rows=1_000)  # What Evidently imports late is not counted.
seconds = {}
for name, method in METHODS.items():
    seconds[name], _ = task.timed(lambda method=method: drift(**method))
task.report(evidently.__version__, seconds)
