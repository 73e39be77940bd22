"""What MLflow knows of a registered model: its features, its outputs, its training rows."""

from tocsin.registry.address import Address, parse_address
from tocsin.registry.baseline import TRAINING
from tocsin.registry.model import RegisteredModel, registered_model
from tocsin.registry.roles import Roles
from tocsin.registry.state import READY, RegisteredVersion, Registry, RegistryState

__all__ = [
    "READY",
    "TRAINING",
    "Address",
    "RegisteredModel",
    "RegisteredVersion",
    "Registry",
    "RegistryState",
    "Roles",
    "parse_address",
    "registered_model",
]
