"""What people say of a model and of the columns of its training dataset."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from tocsin.errors import SchemaError
from tocsin.schema import Task

TAG = "tocsin."
Scores = Mapping[str, str] | tuple[str, ...]
_OF_TASK = {
    Task.BINARY: ("score", "prediction", "positive", "negative"),
    Task.MULTICLASS: ("scores", "prediction"),
    Task.REGRESSION: ("prediction",),
}


@dataclass(frozen=True)
class Roles:
    """The task and the columns; None where nothing is said.

    MLflow itself forgets `targets=` and `predictions=` of a dataset.

    label: the column with the truth. score: with the probability of the positive class.
    prediction: with the predicted class or number. scores: with the probability of each class, as
    {class: column}, or in the order of the classes. positive, negative: how the classes of a binary
    classifier are written.
    """

    task: Task | None = None
    label: str | None = None
    score: str | None = None
    prediction: str | None = None
    scores: Scores | None = None
    positive: str | None = None
    negative: str | None = None

    def or_tags(self, tags: Mapping[str, str]) -> "Roles":
        """These, and where they are silent what the tags of a dataset say.

        When the task is among these, tags of other tasks are passed over.
        Raises: SchemaError for a tag that cannot be read.
        """
        of_task = tuple(_TASK_OF) if self.task is None else _OF_TASK[self.task]
        silent = [
            field.name
            for field in fields(self)
            if getattr(self, field.name) is None and field.name in ("task", "label", *of_task)
        ]
        found = {name: tags[TAG + name] for name in silent if TAG + name in tags}
        return replace(self, **{name: _READ.get(name, str)(text) for name, text in found.items()})

    def task_by_role(self) -> Task | None:
        """The task that a role betrays which no other task has."""
        tasks = [_TASK_OF[role] for role in self._of_outputs() if _TASK_OF[role] is not None]
        return tasks[0] if tasks else None

    def check(self, task: Task) -> None:
        """Raises: SchemaError for a role that the task does not have."""
        odd = [role for role in self._of_outputs() if role not in _OF_TASK[task]]
        if odd:
            has = " or ".join(f"`{role}`" for role in _OF_TASK[task])
            raise SchemaError(
                f"`{odd[0]}` is nothing that task {task} has; give {has}, or another `task`"
            )

    def _of_outputs(self) -> list[str]:
        return [role for role in _TASK_OF if getattr(self, role) is not None]


# Of each role the one task that has it; every task has a prediction.
_TASK_OF: dict[str, Task | None] = {
    "scores": Task.MULTICLASS,
    "score": Task.BINARY,
    "positive": Task.BINARY,
    "negative": Task.BINARY,
    "prediction": None,
}


def _task(text: str) -> Task:
    try:
        return Task(text.strip().lower())
    except ValueError:
        raise SchemaError(
            f"tag {TAG}task is {text!r}, which is none of {', '.join(Task)}; give `task`"
        ) from None


def _scores(text: str) -> Scores:
    """`{"no": "p_no", "yes": "p_yes"}`, `["p_no", "p_yes"]` or `p_no, p_yes`."""
    try:
        found = json.loads(text) if text.lstrip().startswith(("[", "{")) else text.split(",")
    except json.JSONDecodeError as error:
        raise SchemaError(f"tag {TAG}scores is no JSON: {error}; give `scores`") from error
    names = list(found.values()) if isinstance(found, dict) else found
    if not all(isinstance(name, str) for name in names):
        raise SchemaError(
            f"tag {TAG}scores is {text!r}, but scores are names of columns; give `scores`"
        )
    return found if isinstance(found, dict) else tuple(name.strip() for name in names)


_READ: dict[str, Callable[[str], Any]] = {"task": _task, "scores": _scores}
