"""What a monitored model looks like: its task, its features, its outputs."""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from tocsin.errors import SchemaError


class Task(StrEnum):
    """What a model predicts."""

    BINARY = "binary"


class Kind(StrEnum):
    """How the values of a feature are to be read."""

    NUMERIC = "numeric"
    CATEGORICAL = "categorical"
    BOOLEAN = "boolean"


@dataclass(frozen=True)
class Feature:
    """One input of a model."""

    name: str
    kind: Kind

    @property
    def column(self) -> str:
        """Its column in the lake: prefixed, and without the characters that Delta forbids.

        The prefix keeps a feature called `timestamp` from hiding one of our own columns.

        >>> Feature("net income", Kind.NUMERIC).column
        'input_net_income'
        """
        return "input_" + re.sub(r"[ ,;{}()\n\t=]", "_", self.name)


@dataclass(frozen=True)
class Schema:
    """The columns of a monitored model and their roles.

    score: the output that holds the probability of the positive class, None if there is none.
    prediction: the output that holds the predicted class, None if score and threshold decide.
    label: what the truth is called in outcomes and in the reference.
    positive, negative: how the classes are written, as text; where they are 1 and 0, true and
    false are understood as well.
    threshold: scores from here on predict the positive class.
    """

    task: Task
    features: tuple[Feature, ...]
    score: str | None
    prediction: str | None
    label: str
    positive: str = "1"
    negative: str = "0"
    threshold: float = 0.5

    def __post_init__(self) -> None:
        names = [feature.name for feature in self.features]
        odd = [name for name in names if not name.isprintable()]
        if odd:
            raise SchemaError(f"feature {odd[0]!r} has characters that cannot be printed")
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise SchemaError(f"features must have different names, but {repeated} are repeated")
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
        if self.score is None and self.prediction is None:
            raise SchemaError(
                "a schema needs `score` or `prediction`: nothing else can be measured"
            )
        if self.positive == self.negative:
            raise SchemaError(f"positive and negative are both {self.positive!r}")
        if not 0 < self.threshold < 1:
            raise SchemaError(f"threshold {self.threshold} is outside (0, 1)")

    def class_of(self, value: object) -> int | None:
        """1 for the positive class, 0 for the negative, None for anything else.

        >>> plain = Schema(Task.BINARY, (), "p", None, "late")
        >>> plain.class_of(1.0), plain.class_of("0"), plain.class_of(True), plain.class_of("late")
        (1, 0, 1, None)
        """
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        text = str(value)
        if (self.positive, self.negative) == ("1", "0"):
            text = {"true": "1", "false": "0"}.get(text.lower(), text)
        return {self.positive: 1, self.negative: 0}.get(text)

    def to_dict(self) -> dict[str, Any]:
        """The schema as JSON types; `from_dict` reads it back."""
        return {
            "task": str(self.task),
            "features": [{"name": f.name, "kind": str(f.kind)} for f in self.features],
            "score": self.score,
            "prediction": self.prediction,
            "label": self.label,
            "positive": self.positive,
            "negative": self.negative,
            "threshold": self.threshold,
        }

    @classmethod
    def from_dict(cls, document: dict[str, Any]) -> "Schema":
        """The schema that `to_dict` wrote."""
        features = tuple(Feature(f["name"], Kind(f["kind"])) for f in document["features"])
        rest = {key: value for key, value in document.items() if key not in ("task", "features")}
        return cls(task=Task(document["task"]), features=features, **rest)
