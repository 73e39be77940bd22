"""The JSON Schema of a file of monitors, for editors and for other programs."""

from functools import cache
from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from tocsin.declared.configuration_documents import ConfigurationDocument

ADDRESS = "https://json-schema.org/draft/2020-12/schema"
_DURATION = {
    "type": "string",
    "pattern": r"^\d+[smhd]$",
    "description": "a duration such as 15m, 24h or 7d",
}
_TIME = {
    "type": "string",
    "pattern": r"^\d+(\.\d+)?(ms|s)$",
    "description": "a time such as 250ms, of metrics that are times",
}


class _AsWritten(GenerateJsonSchema):
    """What people write, where a validator reads something else than pydantic would."""

    def function_before_schema(
        self, schema: core_schema.BeforeValidatorFunctionSchema
    ) -> JsonSchemaValue:
        """Durations are text; where there may be several names, one may stand alone."""
        name = getattr(schema["function"]["function"], "__name__", "")
        if name == "_duration":
            return dict(_DURATION)
        made = super().function_before_schema(schema)
        if name in ("_names", "_one_is_a_list"):
            lists = made["anyOf"][0] if "anyOf" in made else made
            return {"anyOf": [lists, lists["items"]]}
        if name == "_limit":
            return {"anyOf": [made, dict(_TIME)]}
        if name == "_text":
            return {"anyOf": [made, {"type": "integer"}]}
        return made

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        """Defaults as they are inside, such as microseconds, would mislead: they are left out."""
        made = super().default_schema(schema)
        default = made.get("default")
        if "pattern" in made or not isinstance(default, str | bool | float):
            made.pop("default", None)
        return made


@cache
def monitors_schema() -> dict[str, Any]:
    """The schema of a file."""
    made = ConfigurationDocument.model_json_schema(
        by_alias=True, schema_generator=_AsWritten, mode="validation"
    )
    return {"$schema": ADDRESS, **_tidy(made)}


def _tidy(part: Any) -> Any:
    """Without titles that only repeat the names of fields."""
    if isinstance(part, list):
        return [_tidy(each) for each in part]
    if not isinstance(part, dict):
        return part
    return {
        key: {name: _tidy(each) for name, each in value.items()}
        if key in ("properties", "$defs")
        else _tidy(value)
        for key, value in part.items()
        if not (key == "title" and isinstance(value, str) and "$defs" not in part)
    }


def known_keys(path: tuple[str | int, ...], whole: dict[str, Any]) -> list[str]:
    """The keys that the mapping at a path may have by a schema; none where any may be there."""
    found: set[str] = set()
    for part in _at([whole], path, whole):
        found |= set(part.get("properties", {}))
    return sorted(found)


def _at(
    parts: list[dict[str, Any]], path: tuple[str | int, ...], whole: dict[str, Any]
) -> list[dict[str, Any]]:
    here = [each for part in parts for each in _branches(part, whole)]
    if not path:
        return here
    below: list[dict[str, Any]] = []
    for part in here:
        if isinstance(path[0], int):
            below += [part["items"]] if isinstance(part.get("items"), dict) else []
        elif path[0] in part.get("properties", {}):
            below.append(part["properties"][path[0]])
        elif isinstance(part.get("additionalProperties"), dict):
            below.append(part["additionalProperties"])
    return _at(below, path[1:], whole)


def _branches(part: dict[str, Any], whole: dict[str, Any]) -> list[dict[str, Any]]:
    if "$ref" in part:
        return _branches(whole["$defs"][part["$ref"].rpartition("/")[2]], whole)
    if "anyOf" in part:
        return [each for branch in part["anyOf"] for each in _branches(branch, whole)]
    return [part]
