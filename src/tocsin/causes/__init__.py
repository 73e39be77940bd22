"""Why a window differs from its reference: suspects with their evidence, most likely first."""

from tocsin.causes.cause import Cause, Evidence, Likelihood
from tocsin.causes.decomposition import Decomposition, decomposition
from tocsin.causes.findings import causes_of_findings
from tocsin.causes.ranking import answers, ordered, rank

__all__ = [
    "Cause",
    "Decomposition",
    "Evidence",
    "Likelihood",
    "answers",
    "causes_of_findings",
    "decomposition",
    "ordered",
    "rank",
]
