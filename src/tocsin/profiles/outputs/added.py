"""What some rows add to a profile, before it is known to which one."""

from collections.abc import Mapping
from dataclasses import dataclass

from tocsin.profiles.columns import Codes, Floats, Ints, Mask


@dataclass(frozen=True, eq=False)
class Deposit:
    """One row each: a count, and perhaps amounts beside it.

    block: the name of a part of the layout; bins: (n,), -1 for none; field: the first of those that
    are added to; amounts: what is added to the fields after it.
    """

    block: str
    bins: Codes | Ints
    field: int = 0
    amounts: tuple[Floats, ...] = ()


@dataclass(frozen=True, eq=False)
class Added:
    """What rows add.

    totals: (n,) amounts by the name of a total. deposits: into histograms.
    joint: (n,) three amounts that every feature's bin receives beside the count. Unlabelled: score
        and expected loss (the first is the feature's own value). Labelled: label, loss, its square.
    """

    totals: Mapping[str, Floats]
    deposits: tuple[Deposit, ...]
    joint: tuple[Floats, ...]

    @classmethod
    def by_predictions(
        cls, known: Mask, score: Floats, expected: Floats, *deposits: Deposit, **totals: Floats
    ) -> "Added":
        """What predictions add in every task, and what else those of one do.

        known: (n,) which rows have a score; score, expected: (n,) 0 for the others.
        """
        return cls(
            totals={
                "missing_scores": (~known).astype(float),
                "score": score,
                "score_squared": score * score,
                "expected_loss": expected,
                "expected_loss_squared": expected * expected,
                **totals,
            },
            deposits=deposits,
            joint=(score, expected),
        )

    @classmethod
    def by_labels(
        cls, label: Floats, loss: Floats, *deposits: Deposit, **totals: Floats
    ) -> "Added":
        """What labels add in every task, and what else those of one do."""
        squared = loss * loss
        return cls(
            totals={"label": label, "loss": loss, "loss_squared": squared, **totals},
            deposits=deposits,
            joint=(label, loss, squared),
        )
