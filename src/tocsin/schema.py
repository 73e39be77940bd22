"""What a monitored model looks like: its task, its features, its outputs, its segments."""

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from functools import cached_property
from math import isfinite
from typing import Any

from tocsin.errors import SchemaError

# A confusion matrix has the square of it, in every profile.
MOST_CLASSES = 100


class Task(StrEnum):
    """What a model predicts."""

    BINARY = "binary"
    MULTICLASS = "multiclass"
    REGRESSION = "regression"


class Kind(StrEnum):
    """How the values of a feature are to be read."""

    NUMERIC = "numeric"
    CATEGORICAL = "categorical"
    BOOLEAN = "boolean"
    DATETIME = "datetime"


def column_of(prefix: str, name: str) -> str:
    """The column of something in the lake: prefixed, without the characters that Delta forbids.

    The prefix keeps a feature called `timestamp` from hiding one of our own columns.

    >>> column_of("input_", "net income")
    'input_net_income'
    """
    return prefix + re.sub(r"[ ,;{}()\n\t=]", "_", name)


@dataclass(frozen=True)
class Feature:
    """One column that is watched: an input of the model, or an attribute logged beside them.

    was: what it was called before. range, values: what it is declared to lie in; None where that is
    learned from the reference.
    """

    name: str
    kind: Kind
    was: tuple[str, ...] = ()
    range: tuple[float, float] | None = None
    values: tuple[str, ...] | None = None

    @property
    def column(self) -> str:
        """Its column in the lake.

        >>> Feature("net income", Kind.NUMERIC).column
        'input_net_income'
        """
        return column_of("input_", self.name)


@dataclass(frozen=True)
class Segment:
    """A dimension along which rows are told apart: a column, or an expression over several.

    column: a feature; cuts: where to divide a numeric one (quartiles of the reference if empty).
    where: an expression that is true, false or unknown of each row; see `profiles.expression`.
    protected: its values are groups of people who are to be treated alike.
    """

    name: str
    column: str | None = None
    cuts: tuple[float, ...] = ()
    where: str | None = None
    protected: bool = False


@dataclass(frozen=True)
class Ratio:
    """A metric of one's own: the sum of one expression over the sum of another.

    per: what to divide by, the rows when None.
    """

    name: str
    sum: str
    per: str | None = None


@dataclass(frozen=True)
class Schema:
    """The columns of a monitored model and their roles.

    score: of a binary classifier the output that holds the probability of the positive class.
    prediction: the output that holds the predicted class, or of a regression the number; None if
        scores (and threshold) decide.
    label: what the truth is called in outcomes and in the reference.
    positive, negative: how the classes of a binary classifier are written, as text; where they are
        1 and 0, true and false are understood as well.
    threshold: scores from here on predict the positive class. thresholds: others to look at.
    classes: how the classes of a multiclass model are written; scores: the outputs that hold their
        probabilities, in the same order, or none.
    join_on: the keys by which outcomes without a prediction id find their prediction.
    """

    task: Task
    features: tuple[Feature, ...]
    score: str | None
    prediction: str | None
    label: str
    positive: str = "1"
    negative: str = "0"
    threshold: float = 0.5
    thresholds: tuple[float, ...] = ()
    classes: tuple[str, ...] = ()
    scores: tuple[str, ...] = ()
    segments: tuple[Segment, ...] = ()
    ratios: tuple[Ratio, ...] = field(default=())
    join_on: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        self._check_columns()
        {
            Task.BINARY: self._check_binary,
            Task.MULTICLASS: self._check_multiclass,
            Task.REGRESSION: self._check_regression,
        }[self.task]()
        self._check_segments()

    def _check_columns(self) -> None:
        names = [feature.name for feature in self.features]
        odd = [name for name in names if not name.isprintable()]
        if odd:
            raise SchemaError(f"feature {odd[0]!r} has characters that cannot be printed")
        repeated = _repeated(names)
        if repeated:
            raise SchemaError(f"features must have different names, but {repeated} are repeated")
        old = [name for feature in self.features for name in feature.was]
        repeated = _repeated([*names, *old])
        if repeated:
            raise SchemaError(
                f"{repeated[0]!r} is a feature and what another one was called before; leave it "
                "out of `was`"
            )
        # SQL and Delta know no difference of case.
        columns = [feature.column.casefold() for feature in self.features]
        if len(set(columns)) < len(columns):
            alike = [
                f.name for f, c in zip(self.features, columns, strict=True) if columns.count(c) > 1
            ]
            raise SchemaError(
                f"features {alike} differ only in case, spaces or brackets; rename one, because "
                "they would share a column"
            )

    def _check_binary(self) -> None:
        if self.score is None and self.prediction is None:
            raise SchemaError(
                "a schema needs `score` or `prediction`: nothing else can be measured"
            )
        if self.classes or self.scores:
            raise SchemaError(
                "`classes` and `scores` are for task multiclass; a binary classifier has "
                "`positive`, `negative` and `score`"
            )
        if self.positive == self.negative:
            raise SchemaError(f"positive and negative are both {self.positive!r}")
        for threshold in (self.threshold, *self.thresholds):
            if not 0 < threshold < 1:
                raise SchemaError(f"threshold {threshold} is outside (0, 1)")

    def _check_multiclass(self) -> None:
        if self.score is not None:
            raise SchemaError("task multiclass has `scores`, one per class, and no `score`")
        if not 2 <= len(self.classes) <= MOST_CLASSES:
            raise SchemaError(
                f"task multiclass needs 2 to {MOST_CLASSES} `classes`, not {len(self.classes)}; "
                "put rare ones together"
            )
        repeated = _repeated(self.classes)
        if repeated:
            raise SchemaError(f"classes must differ, but {repeated} are repeated")
        if self.scores and len(self.scores) != len(self.classes):
            raise SchemaError(
                f"there are {len(self.classes)} `classes` but {len(self.scores)} `scores`; name "
                "the output with the probability of each class, in the same order"
            )
        repeated = _repeated([column_of("output_", name).casefold() for name in self.scores])
        if repeated:
            raise SchemaError(f"scores must differ, but {repeated} are repeated")
        if not self.scores and self.prediction is None:
            raise SchemaError(
                "a schema needs `scores` or `prediction`: nothing else can be measured"
            )

    def _check_regression(self) -> None:
        if self.prediction is None:
            raise SchemaError("task regression needs `prediction`, the output with the number")
        if self.score is not None or self.scores or self.classes:
            raise SchemaError("task regression has a `prediction` and neither scores nor classes")

    def _check_segments(self) -> None:
        kinds = {feature.name: feature.kind for feature in self.features}
        names = [segment.name for segment in self.segments]
        repeated = _repeated(names)
        if repeated:
            raise SchemaError(f"segments must have different names, but {repeated} are repeated")
        for segment in self.segments:
            if "=" in segment.name or not segment.name.isprintable() or not segment.name:
                raise SchemaError(f"segment {segment.name!r} needs a printable name without =")
            if (segment.column is None) == (segment.where is None):
                raise SchemaError(f"segment {segment.name!r} needs either `column` or `where`")
            if segment.column is not None and segment.column not in kinds:
                raise SchemaError(
                    f"segment {segment.name!r} is of column {segment.column!r}, which is not among "
                    "the features; list it there, even if the model does not take it"
                )
            if segment.cuts and kinds.get(segment.column or "") is not Kind.NUMERIC:
                what = "a condition" if segment.column is None else repr(segment.column)
                raise SchemaError(f"segment {segment.name!r} has cuts, but {what} is no number")
            if list(segment.cuts) != sorted(set(segment.cuts)) or not all(
                isfinite(cut) for cut in segment.cuts
            ):
                raise SchemaError(f"cuts of segment {segment.name!r} have to be finite and ascend")
        repeated = _repeated([column_of("key_", name).casefold() for name in self.join_on])
        if repeated:
            raise SchemaError(f"the keys of `join` must differ, but {repeated} are repeated")
        repeated = _repeated([ratio.name for ratio in self.ratios])
        if repeated:
            raise SchemaError(f"metrics must have different names, but {repeated} are repeated")

    @property
    def labels(self) -> tuple[str, ...]:
        """How the classes are written, in the order of their numbers; none of a regression."""
        return (self.negative, self.positive) if self.task is Task.BINARY else self.classes

    @property
    def output(self) -> str:
        """The output whose distribution is watched."""
        return self.score or self.prediction or "prediction"

    @cached_property
    def watched_output(self) -> str:
        """What the drift of the output goes by: its name, unless a feature has it."""
        return self._unlike_features(self.output)

    @cached_property
    def watched_classes(self) -> str:
        """What the drift of predicted classes goes by, beside that of the score."""
        return self._unlike_features("prediction", self.watched_output)

    @cached_property
    def watched_label(self) -> str:
        """What the drift of the labels goes by."""
        return self._unlike_features("label", self.watched_output, self.watched_classes)

    def _unlike_features(self, name: str, *others: str) -> str:
        taken = {*(feature.name for feature in self.features), *others}
        while name in taken:
            name = f"output {name}"
        return name

    def renamed(self) -> dict[str, str]:
        """The features that were called otherwise, by their old names."""
        return {old: feature.name for feature in self.features for old in feature.was}

    def key_columns(self) -> tuple[str, ...]:
        """The columns in the lake of the keys that outcomes are joined on."""
        return tuple(column_of("key_", name) for name in self.join_on)

    def score_columns(self) -> tuple[str, ...]:
        """The columns of the scores of a multiclass model in the lake."""
        return tuple(column_of("output_", name) for name in self.scores)

    def class_of(self, value: object) -> int | None:
        """The number of a class: of a binary classifier 1 for the positive; None for anything else.

        >>> plain = Schema(Task.BINARY, (), "p", None, "late")
        >>> plain.class_of(1.0), plain.class_of("0"), plain.class_of(True), plain.class_of("late")
        (1, 0, 1, None)
        """
        if value is None:
            return None
        if isinstance(value, float) and value.is_integer() and str(value) not in self.labels:
            value = int(value)
        text = str(value)
        if self.labels == ("0", "1"):
            text = {"true": "1", "false": "0"}.get(text.lower(), text)
        elif isinstance(value, bool):
            text = text.lower() if text.lower() in self.labels else text
        return self.labels.index(text) if text in self.labels else None

    def to_dict(self) -> dict[str, Any]:
        """The schema as JSON types; `from_dict` reads it back."""
        document = asdict(self)
        document["task"] = str(self.task)
        document["features"] = [
            {"name": f.name, "kind": str(f.kind)} | ({"was": list(f.was)} if f.was else {})
            for f in self.features
        ]
        return {key: list(v) if isinstance(v, tuple) else v for key, v in document.items()}

    @classmethod
    def from_dict(cls, document: dict[str, Any]) -> "Schema":
        """The schema that `to_dict` wrote."""
        rest: dict[str, Any] = {
            key: tuple(part) if isinstance(part, list) else part for key, part in document.items()
        }
        return cls(
            task=Task(rest.pop("task")),
            features=tuple(
                Feature(f["name"], Kind(f["kind"]), tuple(f.get("was", ())))
                for f in rest.pop("features")
            ),
            segments=tuple(
                Segment(**{**s, "cuts": tuple(s["cuts"])}) for s in rest.pop("segments", ())
            ),
            ratios=tuple(Ratio(**r) for r in rest.pop("ratios", ())),
            **rest,
        )


def _repeated(names: Sequence[str]) -> list[str]:
    return sorted({name for name in names if names.count(name) > 1})
