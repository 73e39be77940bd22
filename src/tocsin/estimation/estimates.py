"""The expectations of all metrics of a model on a stack of windows, whatever its task."""

from collections.abc import Callable, Collection, Mapping
from typing import Any

from tocsin.estimation import binary, multiclass, regression
from tocsin.estimation.expected import Expected
from tocsin.profiles import BinaryOutput, MulticlassOutput, Profile, RegressionOutput
from tocsin.schema import Schema, Task

_Number = Callable[[Any], Expected]
# What a model that gives classes only never has.
_SCORED = frozenset(
    {
        "roc_auc", "precision_recall_auc", "log_loss", "brier_score", "roc_auc_ovr_macro",
        "roc_auc_ovr_weighted", "precision_recall_auc_macro",
    }
)  # fmt: skip


def expectations(
    reference: Profile, windows: Profile, names: Collection[str]
) -> Mapping[str, Expected]:
    """What is expected of windows, by the names of metrics; those without an expectation are out.

    reference: a profile with labels; windows: a stack of the same plan.
    """
    output = windows.plan.output
    prepared: Any
    if isinstance(output, BinaryOutput):
        prepared = binary.soft(reference, windows)
    elif isinstance(output, MulticlassOutput):
        prepared = multiclass.chances(reference, windows)
    else:
        prepared = regression.binned(reference, windows)
    classes = output.classes if isinstance(output, MulticlassOutput) else ()
    scored = isinstance(output, RegressionOutput) or output.scored
    found = {name: _number(Task(output.task), name, classes, scored=scored) for name in names}
    return {name: number(prepared) for name, number in found.items() if number is not None}


def has_expectation(schema: Schema, name: str) -> bool:
    """Whether a metric of this name can be estimated without labels."""
    scored = bool(schema.score or schema.scores) or schema.task is Task.REGRESSION
    return _number(schema.task, name, schema.classes, scored=scored) is not None


def _number(task: Task, name: str, classes: tuple[str, ...], *, scored: bool) -> _Number | None:
    if name in _SCORED and not scored:
        return None
    if task is Task.BINARY:
        return binary.number(name)
    if task is Task.MULTICLASS:
        return multiclass.number(name, classes)
    return regression.number(name)
