"""What a version measured itself when it was trained, as MLflow remembers it."""

import re
from math import isfinite

from tocsin.errors import RegistryError
from tocsin.registry.tracking import Tracking, refused

# Autologging's prefix: measured on rows that the model has seen.
TRAINING = "training_"
_LOGGED_MODEL = re.compile(r"m-[0-9a-f]{32}")


def baseline(name: str, version: str, tracking: Tracking) -> dict[str, float]:
    """The metrics that were logged with a version, under the names that they were logged by.

    Returns: nothing for what was registered without a logged model of MLflow 3.
    """
    with refused(tracking.address):
        found = tracking.client.get_model_version(name, version)
        # REST leaves `model_id` out; a copied version's source is another version.
        where = f"{found.source} {tracking.client.get_model_version_download_uri(name, version)}"
    model_id = _LOGGED_MODEL.search(where)
    if model_id is None:
        return {}
    try:
        with refused(tracking.address):
            metrics = tracking.client.get_logged_model(model_id[0]).metrics or []
    except RegistryError:
        # It was deleted; the version serves on without it.
        return {}
    return {metric.key: float(metric.value) for metric in metrics if isfinite(metric.value)}
