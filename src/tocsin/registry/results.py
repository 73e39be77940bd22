"""Results in MLflow: one long-lived run for each version of a monitored model."""

import hashlib
import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from tocsin.registry.state import Registry
from tocsin.registry.tracking import Tracking, refused

_TAG = "tocsin.monitoring"
# The most that MLflow takes at once.
_BATCH = 1_000
# Of the 250 characters that MLflow takes, with room for what is put before and behind.
_LONGEST = 200
_ODD = re.compile(r"[^\w\-. :]", re.ASCII)
# MLflow's filters end at these, and there is no way to write them.
_UNQUOTABLE = re.compile(r"""[%'"`\\]""")
_INVALID = "INVALID_PARAMETER_VALUE"
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ResultPoint:
    """A number of one window. at: the window's end, microseconds."""

    name: str
    value: float
    at: int


def plain_name(name: str) -> str:
    """A name as MLflow takes it for a part of a metric's; those that had to be changed are told
    apart by a hash.

    >>> plain_name("age"), plain_name("a/b"), plain_name("a//b"), plain_name("..")
    ('age', 'a/b', 'a/_/b-7a9acf33', '_-5ec1f7e7')
    """
    parts = [_ODD.sub("_", part) for part in name.split("/")]
    plain = "/".join("_" if part in ("", ".", "..") else part for part in parts)[:_LONGEST]
    if plain == name:
        return name
    return f"{plain}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


class Results(Registry):
    """A registry, and the runs that Tocsin keeps beside it."""

    def __init__(self, tracking_uri: str | None) -> None:
        super().__init__(tracking_uri)
        self._told: set[str] = set()

    def run_of(self, model: str, version: str) -> str:
        """The monitoring run of a version, made when there is none. Raises: RegistryError."""
        tracking = self._connected()
        tag = _UNQUOTABLE.sub(lambda found: quote(found[0]), version)
        with refused(tracking.address):
            experiment = _experiment(tracking, f"monitoring/{model}")
            found = tracking.client.search_runs(
                [experiment], f"tags.`{_TAG}` = '{tag}'", max_results=1
            )
            if found:
                return str(found[0].info.run_id)
            run = tracking.client.create_run(
                experiment, run_name=f"{model} version {version}", tags={_TAG: tag}
            )
            return str(run.info.run_id)

    def log(self, run_id: str, points: Sequence[ResultPoint]) -> None:
        """Log numbers; those that are there already change nothing.

        A name that MLflow does not take is told to the log, and left out.
        Raises: RegistryError.
        """
        from mlflow.entities import Metric
        from mlflow.exceptions import MlflowException

        tracking = self._connected()
        metrics = [
            # Minutes, as a step is a small number.
            Metric(point.name, point.value, point.at // 1_000, point.at // 60_000_000)
            for point in points
        ]
        with refused(tracking.address):
            for start in range(0, len(metrics), _BATCH):
                batch = metrics[start : start + _BATCH]
                try:
                    tracking.client.log_batch(run_id, metrics=batch)
                except MlflowException as error:
                    if error.error_code != _INVALID:
                        raise
                    self._log_by_name(tracking, run_id, batch)

    def _log_by_name(self, tracking: Tracking, run_id: str, metrics: Sequence[Any]) -> None:
        """Log what MLflow takes. Raises: what it says where it takes nothing at all."""
        from mlflow.exceptions import MlflowException

        names = sorted({metric.key for metric in metrics})
        failures: dict[str, MlflowException] = {}
        for name in names:
            try:
                tracking.client.log_batch(run_id, metrics=[m for m in metrics if m.key == name])
            except MlflowException as error:
                if error.error_code != _INVALID:
                    raise
                failures[name] = error
        if len(failures) == len(names):
            raise failures[names[0]]
        for name in failures.keys() - self._told:
            _log.warning("MLflow does not take the name %r; its numbers are left out", name)
        self._told |= failures.keys()

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
