"""Results in MLflow: one long-lived run for each version of a monitored model."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tocsin.registry.state import Registry
from tocsin.registry.tracking import Tracking, refused

_TAG = "tocsin.monitoring"
# The most that MLflow takes at once.
_BATCH = 1_000


@dataclass(frozen=True)
class ResultPoint:
    """A number of one window. at: the window's end, microseconds."""

    name: str
    value: float
    at: int


class Results(Registry):
    """A registry, and the runs that Tocsin keeps beside it."""

    def run_of(self, model: str, version: str) -> str:
        """The monitoring run of a version, made when there is none. Raises: RegistryError."""
        tracking = self._connected()
        with refused(tracking.address):
            experiment = _experiment(tracking, f"monitoring/{model}")
            found = tracking.client.search_runs(
                [experiment], f"tags.`{_TAG}` = '{_quoted(version)}'", max_results=1
            )
            if found:
                return str(found[0].info.run_id)
            run = tracking.client.create_run(
                experiment, run_name=f"{model} version {version}", tags={_TAG: version}
            )
            return str(run.info.run_id)

    def log(self, run_id: str, points: Sequence[ResultPoint]) -> None:
        """Log numbers; those that are there already change nothing. Raises: RegistryError."""
        from mlflow.entities import Metric

        tracking = self._connected()
        metrics = [
            # Minutes, as a step is a small number.
            Metric(point.name, point.value, point.at // 1_000, point.at // 60_000_000)
            for point in points
        ]
        with refused(tracking.address):
            for start in range(0, len(metrics), _BATCH):
                tracking.client.log_batch(run_id, metrics=metrics[start : start + _BATCH])

    def attach(self, run_id: str, name: str, document: dict[str, Any], text: str) -> None:
        """Put a report beside the run, as JSON and as text. Raises: RegistryError."""
        tracking = self._connected()
        with refused(tracking.address):
            tracking.client.log_dict(run_id, document, f"{name}.json")
            tracking.client.log_text(run_id, text, f"{name}.md")


def _experiment(tracking: Tracking, name: str) -> str:
    found = tracking.client.get_experiment_by_name(name)
    if found is not None:
        return str(found.experiment_id)
    return str(tracking.client.create_experiment(name))


def _quoted(text: str) -> str:
    return text.replace("'", "\\'")
