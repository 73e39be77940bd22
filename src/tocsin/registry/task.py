"""What a model predicts: told by its rows where that is certain, asked for where it is not."""

from dataclasses import dataclass

from tocsin.errors import RegistryError
from tocsin.registry.distinct import Distinct
from tocsin.registry.roles import Roles
from tocsin.schema import MOST_CLASSES, Task

# Fewer different fractions may be grades, which some take for classes.
_MANY_NUMBERS = 20


@dataclass(frozen=True, eq=False)
class Evidence:
    """What there is to tell the task by.

    roles: what was said. spare: columns that may be outputs.
    number: whether the model gives one number with a fraction for each row.
    """

    model: str
    dataset: str
    roles: Roles
    spare: tuple[str, ...]
    label: Distinct
    prediction: Distinct | None
    number: bool


def told_task(evidence: Evidence) -> tuple[Task, tuple[str, ...]]:
    """The task, and the sentence that says by what it was told, unless it was said.

    Raises: RegistryError when it has to be said.
    """
    label, prediction = evidence.label, evidence.prediction
    said = evidence.roles.task or evidence.roles.task_by_role()
    if said is not None:
        return said, ()
    fractions = label.has_fractions
    if fractions and (len(label) > _MANY_NUMBERS or evidence.number):
        return _regression(f"label {label.name!r} holds {label.described()}")
    if label.are_truths or (len(label) == 2 and not fractions):
        return Task.BINARY, (f"It is a binary classifier: label {label.name!r} has two classes.",)
    if len(label) > MOST_CLASSES and (label.is_float or (label.is_number and evidence.number)):
        return _regression(f"label {label.name!r} holds {len(label):,} different numbers")
    if label.is_number and prediction is not None and prediction.has_fractions:
        return _regression(f"prediction {prediction.name!r} holds {prediction.described()}")
    if not fractions and 2 < len(label) <= MOST_CLASSES:
        return Task.MULTICLASS, (
            f"It is a classifier of several classes: label {label.name!r} holds {len(label)} "
            "different values and none with a fraction.",
        )
    raise RegistryError(
        f"label {label.name!r} of {evidence.model} has {label.described()}, which do not tell what "
        f"is predicted; give `task`, one of {', '.join(Task)}, or another `label`, one of "
        f"{list(evidence.spare)}"
    )


def _regression(reason: str) -> tuple[Task, tuple[str, ...]]:
    return Task.REGRESSION, (f"It is a regression: {reason}; if not, give `task`.",)
