"""Numbers of performance from profiles, each with its binning error and its 95 % interval.

Every metric is a function of a profile, or of a stack of them, to a `Measured` of the same leading
shape. `METRICS` lists them by name.
"""

from tocsin.metrics.binary import METRICS, Metric
from tocsin.metrics.measured import Measured

__all__ = ["METRICS", "Measured", "Metric"]
