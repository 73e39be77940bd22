"""Which bins a model is profiled with: frozen from its reference, named by a digest."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np

from tocsin.errors import SchemaError
from tocsin.profiles.bins import CategoryBins, FeatureBins, NumericBins, allowing, feature_bins
from tocsin.profiles.columns import CategoryColumn, Column, Floats, Rows, TextLevels
from tocsin.profiles.expression import LABEL, PREDICTION, SCORE, parsed
from tocsin.profiles.layout import (
    COMMON_TOTALS,
    DELAY_EDGES,
    DELAYS,
    FEATURE_FIELDS,
    RATIO_FIELDS,
    TOTALS,
    Layout,
    Shape,
)
from tocsin.profiles.outputs import Output, output_from_dict
from tocsin.profiles.outputs.binary import binary_output, classes_as_scores
from tocsin.profiles.outputs.multiclass import multiclass_output
from tocsin.profiles.outputs.regression import regression_output
from tocsin.profiles.segments import SegmentValues, segment_values
from tocsin.schema import Ratio, Schema, Task

FORMAT = 3
# Of several classes plans are since 4 of profiles that know how many predictions are expected to be
# right; those of 3 stay as they are, under the digest that they have.
_CHANCES = 4


def is_readable(document: Mapping[str, Any]) -> bool:
    """Whether this version can read a plan that `Plan.to_dict` wrote at some time."""
    # Plans of the first formats had no task.
    several = document.get("output", {}).get("task") == Task.MULTICLASS
    return document.get("format") in ((FORMAT, _CHANCES) if several else (FORMAT,))


@dataclass(frozen=True)
class Plan:
    """The bins of a model's profile.

    output: those of what the model gives. segments: the dimensions whose values have profiles of
    their own. ratios: declared expressions that are summed up.
    """

    output: Output
    features: tuple[FeatureBins, ...]
    segments: tuple[SegmentValues, ...] = ()
    ratios: tuple[Ratio, ...] = ()

    @cached_property
    def totals(self) -> tuple[str, ...]:
        """The names of the sums over all rows."""
        return (*COMMON_TOTALS, *self.output.totals)

    @cached_property
    def layout(self) -> Layout:
        """Where each part of the profile lies in its vector."""
        return Layout.of(
            [
                Shape(TOTALS, 1, self.totals),
                Shape(DELAYS, len(DELAY_EDGES) + 1),
                *self.output.shapes(),
                *(Shape(f"ratio/{ratio.name}", 1, RATIO_FIELDS) for ratio in self.ratios),
                *(
                    Shape(f"feature/{bins.name}", len(bins.labels), FEATURE_FIELDS)
                    for bins in self.features
                ),
            ]
        )

    @cached_property
    def digest(self) -> str:
        """A name that is equal exactly when the plans are: 16 hexadecimal digits."""
        text = json.dumps(self.to_dict(), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def bins(self, feature: str) -> FeatureBins:
        """The bins of one feature."""
        return self._by_name[feature]

    @cached_property
    def _by_name(self) -> dict[str, FeatureBins]:
        return {bins.name: bins for bins in self.features}

    def to_dict(self) -> dict[str, Any]:
        """The plan as JSON types; `from_dict` reads it back."""
        document = asdict(self)
        document["output"]["task"] = self.output.task
        # Plans of before there were declared ranges and values keep their digests.
        document["features"] = [
            {name: part for name, part in bins.items() if (name, part) != ("allowed", None)}
            for bins in document["features"]
        ]
        document["format"] = FORMAT
        if document["output"].get("chances"):
            document["format"] = _CHANCES
        document["output"].pop("chances", None)
        return document

    @classmethod
    def from_dict(cls, document: dict[str, Any]) -> "Plan":
        """The plan that `to_dict` wrote.

        Raises: SchemaError when it was written in another format.
        """
        written = document.get("format")
        if not is_readable(document):
            raise SchemaError(
                f"a plan of format {written} cannot be read by this version, which writes format "
                f"{FORMAT}, or of several classes {_CHANCES}"
            )
        several = document["output"]["task"] == Task.MULTICLASS
        output = document["output"] | ({"chances": written == _CHANCES} if several else {})
        features = tuple(
            NumericBins(f["name"], tuple(f["edges"]), _frozen(f.get("allowed")))
            if "edges" in f
            else CategoryBins(
                f["name"],
                tuple(f["levels"]),
                tuple(f["others"]),
                f["all_known"],
                _frozen(f.get("allowed")),
            )
            for f in document["features"]
        )
        segments = tuple(
            SegmentValues(**{key: _frozen(part) for key, part in segment.items()})
            for segment in document["segments"]
        )
        return cls(
            output_from_dict(output),
            features,
            segments,
            tuple(Ratio(**ratio) for ratio in document["ratios"]),
        )


def _frozen(part: Any) -> Any:
    return tuple(part) if isinstance(part, list) else part


def plan_from_reference(schema: Schema, rows: Rows, labels: Floats) -> Plan:
    """The plan whose bins follow the reference.

    labels: (n,) classes by number, or numbers; NaN where unknown.
    Raises: SchemaError when the reference has no rows, or an expression does not fit its columns.
    """
    if len(rows) == 0:
        raise SchemaError("the reference has no rows; give at least a few hundred")
    _check_expressions(schema, rows)
    return Plan(
        output=_output(schema, rows, labels),
        features=tuple(
            allowing(feature_bins(f.name, rows.features[f.name]), f.range, f.values)
            for f in schema.features
        ),
        segments=tuple(segment_values(segment, rows.features) for segment in schema.segments),
        ratios=schema.ratios,
    )


def _output(schema: Schema, rows: Rows, labels: Floats) -> Output:
    if schema.task is Task.MULTICLASS:
        return multiclass_output(rows, labels, schema.classes)
    if schema.task is Task.REGRESSION:
        return regression_output(schema.output, rows, labels)
    return binary_output(rows, labels, threshold=schema.threshold, thresholds=schema.thresholds)


def _check_expressions(schema: Schema, rows: Rows) -> None:
    """Try each expression on a few rows, so that a fault is told when it is declared."""
    few = rows[slice(0, 100)]
    outputs = output_columns(schema.task, schema.classes, few, np.zeros(len(few)))
    texts: list[tuple[str, str, Mapping[str, Column | Floats]]] = [
        (f"segment {s.name!r}", s.where, few.features)
        for s in schema.segments
        if s.where is not None
    ]
    texts += [
        (f"metric {ratio.name!r}", text, {**few.features, **outputs})
        for ratio in schema.ratios
        for text in (ratio.sum, ratio.per)
        if text is not None
    ]
    for what, text, columns in texts:
        expression = parsed(text)
        both = sorted(expression.names & few.features.keys() & outputs.keys())
        if both and columns is not few.features:
            raise SchemaError(
                f"{what}: `{text}` uses {both[0]}, which is a feature and an output; rename the "
                "feature"
            )
        missing = sorted(expression.names - columns.keys())
        if missing:
            raise SchemaError(
                f"{what}: `{text}` uses {', '.join(missing)}; there are {', '.join(columns)}"
            )
        expression.over(columns, len(few))


def output_columns(
    task: str, classes: tuple[str, ...], rows: Rows, labels: Floats | None = None
) -> dict[str, Column | Floats]:
    """What expressions call `prediction`, `score` and `label`.

    classes: of several; there `prediction` and `label` are text. labels: (n,), or None.
    """
    columns: dict[str, Column | Floats] = {}
    if task == Task.MULTICLASS:
        levels = TextLevels(classes)
        columns[PREDICTION] = CategoryColumn(rows.predicted, levels)
        if labels is not None:
            columns[LABEL] = CategoryColumn(labels.astype(np.int32), levels)
        return columns
    if labels is not None:
        columns[LABEL] = labels
    if task == Task.REGRESSION:
        return columns | {PREDICTION: rows.scores[:, 0]}
    return columns | {PREDICTION: classes_as_scores(rows), SCORE: rows.scores[:, 0]}
