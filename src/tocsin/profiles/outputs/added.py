"""What some rows add to a profile, before it is known to which one."""

from collections.abc import Mapping
from dataclasses import dataclass

from tocsin.profiles.columns import Codes, Floats, Ints


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
