"""What a profile holds of a model's output and of its errors, one file per task."""

from typing import Any

from tocsin.profiles.outputs.binary import BinaryOutput
from tocsin.profiles.outputs.multiclass import MulticlassOutput
from tocsin.profiles.outputs.regression import RegressionOutput

Output = BinaryOutput | MulticlassOutput | RegressionOutput

_KINDS: dict[str, Any] = {
    kind.task: kind for kind in (BinaryOutput, MulticlassOutput, RegressionOutput)
}


def output_from_dict(document: dict[str, Any]) -> Output:
    """The output that `dataclasses.asdict` wrote, with its `task`."""

    def frozen(part: Any) -> Any:
        return tuple(frozen(item) for item in part) if isinstance(part, list) else part

    rest = {key: frozen(part) for key, part in document.items() if key != "task"}
    output: Output = _KINDS[document["task"]](**rest)
    return output


__all__ = [
    "BinaryOutput",
    "MulticlassOutput",
    "Output",
    "RegressionOutput",
    "output_from_dict",
]
