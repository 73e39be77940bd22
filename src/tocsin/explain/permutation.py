"""Permutation importance: how much worse a model does when one feature says nothing."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from tocsin.explain.importance import FeatureImportance
from tocsin.schema import Task

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
# What a model gives, (n, c), when one feature has the values of other rows: its name, and which.
Outputs = Callable[[str, Ints], Floats]
# (n, c) outputs to (n,) losses.
Losses = Callable[[Floats], Floats]


def losses_of(task: Task, labels: Floats) -> Losses:
    """The loss of each row: squared differences of probabilities, or the absolute error.

    labels: (n,) classes by number, or numbers. Outputs are the probability of the positive class,
    those of all classes, or the number; as in docs/decisions/0006-one-loss-per-task.md.

    >>> losses_of(Task.MULTICLASS, np.array([1.0]))(np.array([[0.5, 0.5, 0.0]]))
    array([0.5])
    """
    if task is Task.REGRESSION:
        return lambda outputs: np.abs(outputs[:, 0] - labels)
    if task is Task.BINARY:
        return lambda outputs: (outputs[:, 0] - labels) ** 2
    at = np.arange(len(labels)), labels.astype(np.int64)

    def squared(outputs: Floats) -> Floats:
        truth = np.zeros_like(outputs)
        truth[at] = 1.0
        result: Floats = ((outputs - truth) ** 2).sum(1)
        return result

    return squared


def moves_from(before: Floats) -> Losses:
    """In place of a loss where nothing is labelled: how far outputs are from those of before.

    >>> moves_from(np.array([[0.5]]))(np.array([[0.25]]))
    array([0.25])
    """
    return lambda outputs: np.abs(outputs - before).mean(1)


def permutation_importance(
    outputs: Outputs,
    before: Floats,
    losses: Losses,
    features: Sequence[str],
    *,
    repeats: int,
    seed: int,
    progress: Callable[[int, int], None],
) -> list[FeatureImportance]:
    """The mean rise of the loss when the values of one feature change places among the rows.

    before: (n, c) outputs of the rows as they are. The error is that of the mean over rows of their
    mean rise, which holds both the chance of the rows and that of the shuffles.
    Source: Breiman (2001), doi:10.1023/A:1010933404324; Fisher, Rudin & Dominici (2019).
    """
    usual = losses(before)
    found = []
    for i, feature in enumerate(features):
        # Each has its own, so that it does not matter which others are asked about.
        chance = np.random.default_rng([seed, *feature.encode()])
        rises = np.zeros(len(usual))
        for k in range(repeats):
            rises += losses(outputs(feature, chance.permutation(len(usual)))) - usual
            progress(i * repeats + k + 1, len(features) * repeats)
        found.append(FeatureImportance.mean_of(feature, rises / repeats))
    return found
