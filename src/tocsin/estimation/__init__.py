"""What is said before all labels are there: how long they take, and whether to wait."""

from tocsin.estimation.maturity import Maturity, label_maturity

__all__ = ["Maturity", "label_maturity"]
