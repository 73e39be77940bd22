"""What a monitor says of its data: limits, ranges and values in place of what is learned."""

from collections.abc import Mapping
from dataclasses import replace
from math import isfinite
from types import MappingProxyType
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt, model_validator

from tocsin.declared.durations import Span
from tocsin.errors import SchemaError
from tocsin.quality import FEATURE_CHECKS, MODEL_CHECKS, Declared, Volume
from tocsin.schema import Feature, Kind

_Share = Annotated[float, Field(ge=0, le=1)]
_Off = Literal["off", False]
# What the checks of a number and of a category have that the other has not.
_OF_NUMBERS = ("non_finite_rate", "out_of_range_rate", "range")
_OF_CATEGORIES = ("unseen_rate", "cardinality", "values")
_NOTHING: Mapping[str, Any] = MappingProxyType({})


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class FeatureQualityDocument(_Strict):
    """The largest shares of a feature's rows, and what its values have to be."""

    null_rate: _Share | None = None
    non_finite_rate: _Share | None = None
    out_of_range_rate: _Share | None = None
    unseen_rate: _Share | None = None
    top_share: _Share | None = None
    range: tuple[float, float] | None = None
    values: list[str | StrictBool | StrictInt] | None = Field(
        default=None, min_length=1, max_length=1_000
    )


class VolumeDocument(_Strict):
    """The rows of a window."""

    min: Annotated[int, Field(ge=0)] | None = None
    max: Annotated[int, Field(ge=0)] | None = None

    @model_validator(mode="after")
    def _ascending(self) -> Self:
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"min {self.min} is above max {self.max}")
        return self


class QualityDocument(_Strict):
    """What is expected of the data."""

    features: dict[str, FeatureQualityDocument | _Off] = {}
    missing_score_rate: _Share | None = None
    uncounted_label_rate: _Share | None = None
    duplicate_rate: _Share | None = None
    quarantine_rate: _Share | None = None
    unknown_field_rate: _Share | None = None
    volume: VolumeDocument = VolumeDocument()
    freshness: Span | None = None


def declared_quality(parsed: QualityDocument, features: tuple[Feature, ...]) -> Declared:
    """What is declared. Raises: SchemaError for what a feature is not or has not."""
    kinds = {feature.name: feature.kind for feature in features}
    limits: dict[str, dict[str, float]] = {"": _limits(parsed, MODEL_CHECKS)}
    for name, said in parsed.features.items():
        if name not in kinds:
            raise SchemaError(
                f"quality: there is no feature {name!r}; there are {', '.join(kinds)}"
            )
        if isinstance(said, FeatureQualityDocument):
            _check(name, said, kinds[name])
            limits[name] = _limits(said, FEATURE_CHECKS)
    return Declared(
        limits=limits,
        off=frozenset(n for n, said in parsed.features.items() if _is_off(said)),
        volume=Volume(parsed.volume.min, parsed.volume.max),
        freshness=parsed.freshness,
    )


def with_quality(feature: Feature, parsed: QualityDocument) -> Feature:
    """A feature with the range or the values that are declared."""
    said = parsed.features.get(feature.name)
    if not isinstance(said, FeatureQualityDocument):
        return feature
    values = None if said.values is None else tuple(dict.fromkeys(map(_text, said.values)))
    return replace(feature, range=said.range, values=values)


def _is_off(said: FeatureQualityDocument | _Off) -> bool:
    return not isinstance(said, FeatureQualityDocument)


def _limits(said: BaseModel, checks: Mapping[str, Any]) -> dict[str, float]:
    found = said.model_dump()
    return {name: found[name] for name in checks if found.get(name) is not None}


def _check(name: str, said: FeatureQualityDocument, kind: Kind) -> None:
    numeric = kind in (Kind.NUMERIC, Kind.DATETIME)
    for wrong in _OF_CATEGORIES if numeric else _OF_NUMBERS:
        if getattr(said, wrong, None) is not None:
            instead = "`range`" if numeric else "`values`"
            raise SchemaError(
                f"quality of {name!r}: a {kind} feature has no `{wrong}`; write {instead}, or "
                "change its kind"
            )
    if said.range is None:
        return
    if kind is Kind.DATETIME:
        raise SchemaError(
            f"quality of {name!r}: the range of a datetime is that of the reference; limit "
            "`out_of_range_rate` instead"
        )
    low, high = said.range
    if not (isfinite(low) and isfinite(high) and low <= high):
        raise SchemaError(
            f"quality of {name!r}: range [{low:g}, {high:g}] needs two finite numbers, the lower "
            "one first"
        )


def _text(value: object) -> str:
    """A value as categories are kept: JSON's true is `true`."""
    return str(value).lower() if isinstance(value, bool) else str(value)
