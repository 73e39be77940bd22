"""What rules may look at beside metrics."""

from tocsin.quality import FEATURE_CHECKS, MODEL_CHECKS, VOLUME
from tocsin.rules import DRIFT, LABEL_DRIFT, PREDICTION_DRIFT, QUALITY

# Drift and what is wrong with the data.
SIGNALS = (DRIFT, PREDICTION_DRIFT, LABEL_DRIFT, QUALITY, *FEATURE_CHECKS, *MODEL_CHECKS, VOLUME)
