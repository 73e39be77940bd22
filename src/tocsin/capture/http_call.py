"""A request to MLflow's scoring server and its answer, as bytes."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from io import BytesIO, StringIO
from typing import Any

from tocsin.capture.answers import predictions_of
from tocsin.capture.exchange import Model, Rows, UnreadableError, id_given
from tocsin.capture.reading import Row, rows_of, rows_of_body
from tocsin.values import to_datetime

# What clients call the ids of rows, in the body beside the rows, or in each row.
_IDS = ("request_ids", "prediction_ids")
_ID = ("prediction_id", "request_id")
_TIME = "timestamp"
_TIMES = "timestamps"


@dataclass(frozen=True, eq=False)
class HttpCall:
    """A request that was answered 200. began: event time."""

    model: Model
    request_id: str
    content_type: str
    request: tuple[bytes, ...]
    response: tuple[bytes, ...]
    began: int

    @property
    def size(self) -> int:
        """About how many bytes it holds."""
        return sum(map(len, self.request)) + sum(map(len, self.response)) + 1000

    def rows(self) -> Rows:
        """Its rows. Raises: UnreadableError, and ValueError for what is no JSON."""
        body = self._body()
        inputs = (
            rows_of_body(body, self.model.names)
            if isinstance(body, Mapping)
            else rows_of(body, self.model.names)
        )
        predictions = self._predictions()
        if len(predictions) != len(inputs):
            raise UnreadableError(f"{len(predictions)} predictions for {len(inputs)} rows")
        beside = body if isinstance(body, Mapping) else {}
        return Rows(
            inputs, predictions, self._ids(beside, inputs), self._timestamps(beside, inputs)
        )

    def frame(self) -> Any:
        """None: its rows have all there is."""
        return None

    def _body(self) -> Any:
        """The body as JSON, or as a data frame where it is CSV or Parquet."""
        content = b"".join(self.request)
        media = self.content_type.partition(";")[0].strip()
        if media in ("text/csv", "application/vnd.apache.parquet"):
            return self._table(content, media)
        body = json.loads(content)
        if not isinstance(body, Mapping):
            raise UnreadableError("the body is no JSON object")
        return body

    def _table(self, content: bytes, media: str) -> Any:
        """What MLflow makes of the same bytes."""
        from mlflow.pyfunc import scoring_server

        if media == "text/csv":
            schema = self.model.pyfunc.metadata.get_input_schema()
            return scoring_server.parse_csv_input(StringIO(content.decode()), schema)
        return scoring_server.parse_parquet_input(BytesIO(content))

    def _predictions(self) -> list[Any]:
        answer = json.loads(b"".join(self.response))
        if not isinstance(answer, Mapping) or "predictions" not in answer:
            raise UnreadableError("the answer has no predictions")
        return predictions_of(answer["predictions"])

    def _ids(self, beside: Mapping[str, Any], inputs: list[Row]) -> list[str]:
        given = next((beside[key] for key in _IDS if key in beside), None)
        if given is None:
            given = next((found for key in _ID if (found := self._taken(key, inputs))), None)
        if given is None:
            return [f"{self.request_id}-{row}" for row in range(len(inputs))]
        if not isinstance(given, list) or len(given) != len(inputs):
            raise UnreadableError("there is not one of `request_ids` for each row")
        # A null one is as if it were left out.
        return [id_given(found) or f"{self.request_id}-{row}" for row, found in enumerate(given)]

    def _timestamps(self, beside: Mapping[str, Any], inputs: list[Row]) -> Sequence[datetime | str]:
        given = beside.get(_TIMES)
        if given is None:
            given = self._taken(_TIME, inputs)
        if given is None:
            moment = beside.get(_TIME)
            return [to_datetime(self.began) if moment is None else moment] * len(inputs)
        if not isinstance(given, list) or len(given) != len(inputs):
            raise UnreadableError("there is not one of `timestamps` for each row")
        return given

    def _taken(self, name: str, inputs: list[Row]) -> list[Any] | None:
        """A column of the rows that says something of the row and is no input of the model.

        Without names in the signature all columns reach the model, so none is taken.
        """
        if not self.model.names or name in self.model.names:
            return None
        if not inputs or any(name not in row for row in inputs):
            return None
        return [row.pop(name) for row in inputs]
