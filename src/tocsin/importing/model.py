"""What an import has to know of the model that its rows are of."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Self

Kind = Literal["predictions", "outcomes"]


@dataclass(frozen=True)
class Model:
    """Names of columns by what they are.

    numbers: those features and outputs that are numbers; booleans, moments: features. keys: by
    which outcomes without an id are joined. was: what features were called before. private: fields
    that the server does not store as they are. version: of rows that name none.
    """

    name: str
    features: tuple[str, ...]
    outputs: tuple[str, ...]
    label: str
    numbers: frozenset[str]
    booleans: frozenset[str]
    moments: frozenset[str]
    keys: tuple[str, ...] = ()
    was: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    private: frozenset[str] = frozenset()
    version: str = ""

    def names_of(self, feature: str) -> tuple[str, ...]:
        """What a feature is called, and was."""
        return feature, *self.was.get(feature, ())

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> Self:
        """The model that `GET /models/NAME` describes."""
        schema = document["schema"]
        kinds = {feature["name"]: feature["kind"] for feature in schema["features"]}
        regression = schema["task"] == "regression"
        scores = [*schema.get("scores", ()), schema["score"]]
        outputs = tuple(name for name in (*scores, schema["prediction"]) if name is not None)
        numbers = {name for name in scores if name is not None}
        numbers |= {name for name, kind in kinds.items() if kind == "numeric"}
        if regression:
            numbers |= {*outputs, schema["label"]}
        return cls(
            name=document["name"],
            features=tuple(kinds),
            outputs=outputs,
            label=schema["label"],
            numbers=frozenset(numbers),
            booleans=frozenset(name for name, kind in kinds.items() if kind == "boolean"),
            moments=frozenset(name for name, kind in kinds.items() if kind == "datetime"),
            keys=tuple(schema.get("join_on", ())),
            version=document["version"],
            private=frozenset(document["privacy"]["hash"] + document["privacy"]["drop"]),
            was={f["name"]: tuple(f["was"]) for f in schema["features"] if f.get("was")},
        )
