"""Which rows a profile stands for."""

from dataclasses import dataclass

# Segment of all rows together.
EVERYTHING = ""


@dataclass(frozen=True, order=True)
class ProfileKey:
    """Which profile a row belongs to.

    version: of the model. bucket: the start of its time bucket. segment: `country=DE`, or
    `EVERYTHING`; a row is in one profile of each segment dimension, and in that of all rows.
    """

    version: str
    bucket: int
    segment: str = EVERYTHING
