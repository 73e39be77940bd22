"""Predictions of MLflow models, recorded where they are made: in its server, or in any program."""

from tocsin.capture.autologging import Logged, autolog, log_context

__all__ = ["Logged", "autolog", "log_context"]
