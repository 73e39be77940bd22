"""What MLflow knows of a registered model: its features, and the rows it was trained on."""

from tocsin.registry.model import RegisteredModel, registered_model

__all__ = ["RegisteredModel", "registered_model"]
