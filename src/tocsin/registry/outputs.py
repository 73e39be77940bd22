"""The columns of a model's outputs and how its classes are written: told or asked for."""

from collections.abc import Collection, Mapping
from typing import Any

import pyarrow as pa

from tocsin.errors import RegistryError, SchemaError
from tocsin.registry.distinct import distinct
from tocsin.registry.roles import Roles
from tocsin.registry.signature import Signature
from tocsin.registry.task import Evidence, told_task
from tocsin.schema import MOST_CLASSES, Schema, Task

_UNSEEN = "for rows that the model had not seen; if it had, the reference flatters the model."
_Told = tuple[dict[str, Any], tuple[str, ...]]


def told_schema(
    signature: Signature, table: pa.Table, roles: Roles, *, model: str, dataset: str
) -> tuple[Schema, tuple[str, ...]]:
    """The schema of a model, and what was assumed for it, a sentence each.

    table: the training dataset. roles: what was said of its columns.
    Raises: RegistryError for what has to be said, SchemaError for what was said and cannot be.
    """
    names = table.column_names
    inputs = {feature.name for feature in signature.inputs}
    spare = sorted(name for name in set(names) - inputs if names.count(name) == 1)
    label = column("label", roles.label, spare, dataset=dataset)
    spare.remove(label)
    prediction = None
    if roles.prediction is not None:
        column("prediction", roles.prediction, spare, dataset=dataset)
        prediction = distinct(table, roles.prediction)
    evidence = Evidence(
        model, dataset, roles, tuple(spare), distinct(table, label), prediction, signature.number
    )
    task, reasons = told_task(evidence)
    roles.check(task)
    fields, notes = _OUTPUTS[task](evidence)
    fields = {"score": None, "prediction": roles.prediction, "label": label, **fields}
    return Schema(task, signature.inputs, **fields), (*reasons, *notes)


def column(role: str, name: str | None, spare: Collection[str], *, dataset: str) -> str:
    """The one of the spare columns of the dataset that plays the role.

    Raises: RegistryError when none was said, or one that cannot.
    """
    if name is None:
        raise RegistryError(
            f"MLflow does not record which column of dataset {dataset!r} is the {role}; "
            f"give `{role}`, one of {list(spare)}"
        )
    if name not in spare:
        raise RegistryError(
            f"column {name!r} of dataset {dataset!r} cannot be the {role}; "
            f"give `{role}`, one of {list(spare)}"
        )
    return name


def _regression(evidence: Evidence) -> _Told:
    name = column("prediction", evidence.roles.prediction, evidence.spare, dataset=evidence.dataset)
    return {}, (f"The prediction is column {name!r}, taken as made {_UNSEEN}",)


def _binary(evidence: Evidence) -> _Told:
    classes, notes = _two_classes(evidence)
    _check_prediction(evidence)
    roles = evidence.roles
    if roles.score is None and roles.prediction is not None:
        return classes, (*notes, f"The predicted class is column {roles.prediction!r}; no scores.")
    score = column("score", roles.score, evidence.spare, dataset=evidence.dataset)
    notes += (
        f"The score is column {score!r}, taken as the probability of the positive class {_UNSEEN}",
    )
    if roles.prediction is None:
        notes += ("Scores of 0.5 and more count as the positive class.",)
    return {"score": score, **classes}, notes


def _two_classes(evidence: Evidence) -> _Told:
    """How positive and negative are written, unless as 1 and 0, true and false."""
    label, roles = evidence.label, evidence.roles
    said = {"positive": roles.positive, "negative": roles.negative}
    given = {role: text for role, text in said.items() if text is not None}
    if len(given) == 2 or (not given and (label.are_truths or len(label) == 0)):
        return given, ()
    if len(label) > 2 or label.has_fractions:
        raise SchemaError(
            f"label {label.name!r} of {evidence.model} has {label.described()}, but a binary "
            "classifier has two classes; give another `label`, or another `task` with its `scores` "
            "or `prediction`"
        )
    classes = label.classes()
    odd = [role for role, text in given.items() if text not in classes]
    left = [text for text in classes if text not in given.values()]
    if not given or odd or not left:
        asked = odd[0] if odd else next(role for role in said if role not in given)
        raise RegistryError(
            f"MLflow does not record the {asked} class of label {label.name!r} of "
            f"{evidence.model}, which holds {', '.join(classes)}; give `{asked}`"
            + (f", one of {list(classes)}" if left else ", as it is written elsewhere")
        )
    other = next(role for role in said if role not in given)
    return {**given, other: left[0]}, (f"The {other} class is {left[0]!r}, the other one.",)


def _multiclass(evidence: Evidence) -> _Told:
    _check_prediction(evidence)
    classes = _classes(evidence)
    roles, spare = evidence.roles, evidence.spare
    if roles.scores is None and roles.prediction is None:
        raise RegistryError(
            f"MLflow does not record which columns of dataset {evidence.dataset!r} hold the "
            f"probabilities of the classes {', '.join(classes)}; give `scores`, one for each, or "
            f"`prediction`, the predicted class, of {list(spare)}; or another `task`"
        )
    ordered = "in this order" if not isinstance(roles.scores, Mapping) else "as given"
    notes: tuple[str, ...] = (f"The classes are {', '.join(classes)}, {ordered}.",)
    if roles.scores is None:
        return {"classes": classes}, notes
    scores = roles.scores.values() if isinstance(roles.scores, Mapping) else roles.scores
    names = tuple(column("scores", name, spare, dataset=evidence.dataset) for name in scores)
    notes += (f"The scores are columns {list(names)}, taken as their probabilities {_UNSEEN}",)
    if roles.prediction is None:
        notes += ("The class with the largest score counts as predicted.",)
    return {"classes": classes, "scores": names}, notes


def _classes(evidence: Evidence) -> tuple[str, ...]:
    """The classes of a multiclass model: those of its scores, or all that its rows hold."""
    label, prediction, scores = evidence.label, evidence.prediction, evidence.roles.scores
    if label.has_fractions or len(label) > MOST_CLASSES:
        raise SchemaError(
            f"label {label.name!r} of {evidence.model} has {label.described()}, but there can be "
            f"2 to {MOST_CLASSES} classes; put rare ones together, or name another `label` or "
            "`task`"
        )
    found = label.classes()
    if isinstance(scores, Mapping):
        missing = [text for text in found if text not in scores]
        if missing:
            raise SchemaError(
                f"`scores` have no column for class {missing[0]!r} of label {label.name!r}; there "
                f"are {', '.join(scores)}"
            )
        return tuple(scores)
    added = [] if prediction is None else set(prediction.classes()) - set(found)
    if prediction is None or not added:
        return found
    by_size = label.is_number and prediction.is_number
    return tuple(sorted([*found, *added], key=int if by_size else None))


def _check_prediction(evidence: Evidence) -> None:
    """A predicted class has no fraction."""
    prediction = evidence.prediction
    fraction = None if prediction is None else prediction.fraction()
    if prediction is not None and fraction is not None:
        raise SchemaError(
            f"prediction {prediction.name!r} of {evidence.model} holds {fraction:g}, which is no "
            "class; if it is a probability give it as `score`, if numbers are predicted give "
            "`task` regression"
        )


_OUTPUTS = {
    Task.BINARY: _binary,
    Task.MULTICLASS: _multiclass,
    Task.REGRESSION: _regression,
}
