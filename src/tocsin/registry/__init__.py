"""What MLflow knows of a registered model: its features, its outputs, its training rows."""

from tocsin.registry.model import RegisteredModel, registered_model
from tocsin.registry.roles import Roles

__all__ = ["RegisteredModel", "Roles", "registered_model"]
