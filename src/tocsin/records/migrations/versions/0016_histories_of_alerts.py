"""What was seen of alerts, window after window, in place of their state alone."""

import json
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"

_STATES = sa.table(
    "alert_states",
    *(sa.column(name) for name in ("model_id", "rule", "instance", "phase", "since", "streak")),
    *(sa.column(name) for name in ("last_window", "base", "first_window")),
)


def upgrade() -> None:
    """The states that alerts had are what their histories begin with."""
    for column in (
        sa.Column("base", sa.JSON, nullable=False, server_default="{}"),
        sa.Column("first_window", sa.BigInteger, nullable=False, server_default="0"),
        # Another step than any: the first window that is seen begins a history.
        sa.Column("every", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("letters", sa.Text, nullable=False, server_default=""),
    ):
        op.add_column("alert_states", column)
    connection = op.get_bind()
    for row in connection.execute(sa.select(_STATES)).all():
        mine = (
            (_STATES.c.model_id == row.model_id)
            & (_STATES.c.rule == row.rule)
            & (_STATES.c.instance == row.instance)
        )
        values = {"base": json.dumps(_base(row)), "first_window": row.last_window or 0}
        connection.execute(_STATES.update().where(mine).values(values))
    for name in ("streak", "episode_id"):
        op.drop_column("alert_states", name)
    for name in ("late", "retracted"):
        column = sa.Column(name, sa.Boolean, nullable=False, server_default=sa.false())
        op.add_column("episodes", column)
    op.add_column("episodes", sa.Column("flapping", sa.BigInteger))
    op.create_index("ix_episodes_model_id_resolved", "episodes", ["model_id", "resolved"])


def _base(row: Any) -> dict[str, Any]:
    open_ = row.phase in ("firing", "recovering")
    # When exactly it fired is with its episode; since its first window it had not recovered.
    return {
        "phase": row.phase,
        "since": row.since,
        "fired": row.since if open_ else None,
        "streak": row.streak,
        "missing": 0,
        "recent": "",
        "flapping": None,
    }
