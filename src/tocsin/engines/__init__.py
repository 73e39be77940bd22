"""Arrow rows in, profiles by version and bucket out; engines only distribute the kernel."""

from tocsin.engines.local import ProfileKey, profile_labels, profile_predictions, reference_rows

__all__ = ["ProfileKey", "profile_labels", "profile_predictions", "reference_rows"]
