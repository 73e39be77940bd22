"""Numbers of performance from profiles, each with its binning error and its 95 % interval.

Every metric is a function of a profile, or of a stack of them, to a `Measured` of the same leading
shape. `catalogue` has those of a model by name; `METRICS` is the table of binary classifiers.
"""

from tocsin.metrics.binary import METRICS
from tocsin.metrics.catalogue import Catalogue, catalogue
from tocsin.metrics.coverage import VOLUME_METRIC
from tocsin.metrics.custom import cost_metric, register, registered, registered_or_missing
from tocsin.metrics.groups import FAIRNESS, Comparison, Fairness, compare
from tocsin.metrics.intervals import minimum_n
from tocsin.metrics.measured import Measured
from tocsin.metrics.metric import Metric
from tocsin.metrics.serving import NOT_HEARD, QUANTILES, SERVING, Served, error_rate, served_measure

__all__ = [
    "FAIRNESS",
    "METRICS",
    "NOT_HEARD",
    "QUANTILES",
    "SERVING",
    "VOLUME_METRIC",
    "Catalogue",
    "Comparison",
    "Fairness",
    "Measured",
    "Metric",
    "Served",
    "catalogue",
    "compare",
    "cost_metric",
    "error_rate",
    "minimum_n",
    "register",
    "registered",
    "registered_or_missing",
    "served_measure",
]
