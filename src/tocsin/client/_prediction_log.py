"""What a serving process calls, of the plain client and of the asyncio one: it never waits."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import httpx2

from tocsin.client import _options as options
from tocsin.client._books import ClientStats
from tocsin.client._delivery import Delivery
from tocsin.client._log import told
from tocsin.client._rows import (
    Outcome,
    Prediction,
    copied,
    given_or_new_id,
    outcome,
    prediction,
    version_of,
)
from tocsin.client._table import Table, table
from tocsin.client._table_rows import given_or_new_ids, outcome_table, prediction_table
from tocsin.errors import InvalidInputError
from tocsin.ids import ID_NAMES, uuid7


class PredictionLog:
    """Logs predictions and outcomes of one model version; a thread sends them."""

    def __init__(
        self,
        url: str,
        *,
        model: str,
        model_version: str | None = None,
        max_queue: int = 100_000,
        batch_rows: int = 1000,
        max_delay_s: float = 0.5,
        request_timeout_s: float = 10.0,
        exit_timeout_s: float = 5.0,
        spill_dir: str | os.PathLike[str] | None = None,
        max_spill_bytes: int = 2**30,
        compress: bool = False,
        transport: httpx2.BaseTransport | None = None,
    ) -> None:
        route = options.route(url, model, request_timeout_s, transport, compress=compress)
        spill = options.spill_opener(spill_dir, model, max_spill_bytes)
        self._model_version = options.checked_version(model_version)
        self._delivery = Delivery(
            options.target(route, exit_timeout_s, spill),
            options.limits(max_queue, batch_rows, max_delay_s, spills=spill is not None),
        )

    def log_prediction(
        self,
        inputs: Mapping[str, Any],
        outputs: Mapping[str, Any],
        prediction_id: str | None = None,
        timestamp: datetime | str | None = None,
        model_version: str | None = None,
    ) -> str:
        """Log one prediction; returns its id, a new one unless given.

        model_version: when it is not that of the client.
        """
        if prediction_id is None:
            prediction_id = uuid7()
        try:
            row = Prediction(
                prediction_id,
                datetime.now(UTC) if timestamp is None else timestamp,
                version_of(model_version or self._model_version),
                copied(inputs, "inputs"),
                copied(outputs, "outputs"),
            )
        except Exception as error:  # noqa: BLE001 - nothing that a host logs may hurt it
            self._delivery.refuse(told(error))
        else:
            self._delivery.put((row,))
        return prediction_id

    def log_predictions(self, predictions: Any, outputs: Any = None) -> list[str]:
        """Log predictions; returns their ids in order, new ones where they have none.

        predictions: records with `inputs` and `outputs`, and maybe `prediction_id`, `timestamp`
            (an aware datetime or an ISO 8601 text; now, if left out) and `model_version`. Or a
            table: an Arrow table or record batch, a Polars or pandas frame, or a dict of columns.
            Its columns called `prediction_id`, `timestamp` and `model_version` mean the same, the
            others are inputs, but for those named in `outputs`.
        outputs: of a table, the names of its columns with what the model put out, or a table of
            as many rows: {"probability_late": model.predict_proba(inputs)[:, 1]}.
        """
        ids: list[str] = []
        try:
            one = isinstance(predictions, Mapping) and outputs is None
            found = None if one else table(predictions)
            if found is not None:
                self._log_prediction_table(found, outputs, ids)
            elif outputs is not None:
                raise InvalidInputError(
                    f"a {type(predictions).__name__} with outputs is not a table; give a frame, an "
                    "Arrow table or a dict of columns"
                )
            else:
                self._log_prediction_records((predictions,) if one else predictions, ids)
        except Exception as error:  # noqa: BLE001 - nothing that a host logs may hurt it
            self._delivery.refuse(told(error))
        return ids

    def _log_prediction_table(self, found: Table, outputs: Any, ids: list[str]) -> None:
        try:
            ids += given_or_new_ids(found)
            now = datetime.now(UTC)
            rows = prediction_table(found, outputs, ids, now, self._model_version)
        except Exception as error:  # noqa: BLE001 - nothing that a host logs may hurt it
            self._delivery.refuse(told(error), found.rows)
        else:
            # The caller gets this list, and may change it.
            self._delivery.put_table(replace(rows, ids=tuple(ids)))

    def _log_prediction_records(self, records: Iterable[Any], ids: list[str]) -> None:
        now = datetime.now(UTC)
        rows: list[Prediction] = []
        try:
            for record in records:
                prediction_id = given_or_new_id(record)
                ids.append(prediction_id)
                try:
                    rows.append(prediction(record, prediction_id, self._model_version, now))
                except Exception as error:  # noqa: BLE001 - a record may raise anything when read
                    self._delivery.refuse(told(error))
        finally:
            if rows:
                self._delivery.put(rows)

    def log_outcome(
        self, prediction_id: str, actual_outcome: Any, timestamp: datetime | str | None = None
    ) -> None:
        """Log what really happened to one prediction."""
        moment = datetime.now(UTC) if timestamp is None else timestamp
        self._delivery.put((Outcome(prediction_id, moment, actual_outcome),))

    def log_outcomes(self, outcomes: Any) -> None:
        """Log outcomes: records or a table with `prediction_id` and `actual_outcome`.

        Both may have `timestamp`; a table is what `log_predictions` takes for one. As in requests,
        `request_id` and the like, `label` and `outcome_timestamp` mean the same.
        """
        try:
            one = isinstance(outcomes, Mapping) and any(
                isinstance(outcomes.get(name), str) for name in ID_NAMES
            )
            found = None if one else table(outcomes)
            if found is None:
                self._log_outcome_records((outcomes,) if one else outcomes)
            else:
                self._log_outcome_table(found)
        except Exception as error:  # noqa: BLE001 - nothing that a host logs may hurt it
            self._delivery.refuse(told(error))

    def _log_outcome_table(self, found: Table) -> None:
        try:
            rows = outcome_table(found, datetime.now(UTC))
        except InvalidInputError as error:
            self._delivery.refuse(str(error), found.rows)
        else:
            self._delivery.put_table(rows)

    def _log_outcome_records(self, records: Iterable[Any]) -> None:
        now = datetime.now(UTC)
        rows: list[Outcome] = []
        try:
            for record in records:
                try:
                    rows.append(outcome(record, now))
                except Exception as error:  # noqa: BLE001 - a record may raise anything when read
                    self._delivery.refuse(told(error))
        finally:
            if rows:
                self._delivery.put(rows)

    @property
    def stats(self) -> ClientStats:
        """What became of the rows so far."""
        return self._delivery.stats
