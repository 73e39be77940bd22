"""What versions of a model rely on, as it was found once for each reference."""

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from tocsin.explain import AttributionShift, Importance, Method
from tocsin.records.models import ModelRecord
from tocsin.records.tables import importances

# Where both are known: the first rests on the truth, the second on the model alone.
_ORDER = sa.case((importances.c.method == str(Method.PERMUTATION), 0), else_=1)


@dataclass(frozen=True)
class StoredImportance:
    """The importance of features for one version; computed_at: wall time.

    recent: the newest comparison of recent rows with it, None where nobody asked since.
    """

    version: str
    importance: Importance
    computed_at: int
    recent: AttributionShift | None = None


def put(connection: Connection, record: ModelRecord, found: StoredImportance) -> None:
    """Store what was found on the model's reference of now, in place of an earlier one."""
    key = {
        "model_id": record.id,
        "version": found.version,
        "plan_digest": record.plan.digest,
        "method": str(found.importance.method),
    }
    same = sa.and_(*(importances.c[name] == value for name, value in key.items()))
    connection.execute(importances.delete().where(same))
    document = found.importance.to_dict()
    if found.recent is not None:
        document["recent"] = found.recent.to_dict()
    row = {**key, "importance": document, "computed_at": found.computed_at}
    connection.execute(importances.insert().values(row))


def find(
    connection: Connection,
    record: ModelRecord,
    *,
    version: str | None = None,
    method: Method | None = None,
) -> StoredImportance | None:
    """What is known for a version on the reference of now; None where nobody computed it.

    version: the one computed last if None. method: by permutation if None, else the other.
    """
    query = sa.select(importances).where(
        importances.c.model_id == record.id, importances.c.plan_digest == record.plan.digest
    )
    if version is not None:
        query = query.where(importances.c.version == version)
    if method is not None:
        query = query.where(importances.c.method == str(method))
    row = connection.execute(query.order_by(_ORDER, importances.c.computed_at.desc())).first()
    if row is None:
        return None
    recent = row.importance.get("recent")
    return StoredImportance(
        row.version,
        Importance.from_dict(row.importance),
        row.computed_at,
        None if recent is None else AttributionShift.from_dict(recent),
    )
