"""The evaluations that answers are made of: the newest, or those of a span."""

from sqlalchemy.engine import Connection

from tocsin.records import evaluations
from tocsin.records.evaluation import Evaluation
from tocsin.records.models import ModelRecord
from tocsin.values import WindowSpec


def evaluations_over(
    connection: Connection,
    record: ModelRecord,
    spec: WindowSpec,
    span: int,
    most: int,
    as_of: int | None = None,
) -> list[Evaluation]:
    """The newest evaluations over a span, thinned evenly; the newest is always among them."""
    ends = evaluations.newest_ends(connection, record.id, spec, span, as_of=as_of)
    thinned = ends[:: max(1, -(-len(ends) // most))]
    found = evaluations.at(connection, record.id, spec.size, thinned, as_of=as_of)
    return [found[end] for end in sorted(found)]


def latest_evaluation(
    connection: Connection, record: ModelRecord, spec: WindowSpec
) -> Evaluation | None:
    """The newest evaluation of windows of a size that has rows, if there is one."""
    newest = evaluations.newest_end(connection, record.id, spec)
    if newest is None:
        return None
    return evaluations.at(connection, record.id, spec.size, [newest])[newest]
