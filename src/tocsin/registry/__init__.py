"""What MLflow knows of a registered model: its features, its outputs, its training rows."""

from tocsin.registry.baseline import TRAINING
from tocsin.registry.model import RegisteredModel, registered_model
from tocsin.registry.roles import Roles
from tocsin.registry.state import READY, RegisteredVersion, Registry, RegistryState

__all__ = [
    "READY",
    "TRAINING",
    "RegisteredModel",
    "RegisteredVersion",
    "Registry",
    "RegistryState",
    "Roles",
    "registered_model",
]
