"""Receivers of several channels, since when one takes nothing, and last words to who is left."""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0021"


def upgrade() -> None:
    """Each receiver was one channel until then, which has the receiver's name."""
    for column in (
        sa.Column("receiver", sa.String, nullable=False, server_default=""),
        sa.Column("disabled_at", sa.BigInteger),
        sa.Column("leaving", sa.Boolean, nullable=False, server_default=sa.false()),
    ):
        op.add_column("receivers", column)
    op.execute("UPDATE receivers SET receiver = name")
    forgets = sa.Column("forgets", sa.Boolean, nullable=False, server_default=sa.false())
    op.add_column("outbox", forgets)
    op.create_index("ix_outbox_forgets", "outbox", ["forgets"])
    op.add_column("notices", sa.Column("escalated", sa.String))
