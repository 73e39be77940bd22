"""What became of messages, who is told instead, and what is wrong with Tocsin itself."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    """Apply."""
    for name in ("fallback", "disabled"):
        op.add_column("receivers", sa.Column(name, sa.String))
    for column in (
        sa.Column("severity", sa.String, nullable=False, server_default=""),
        sa.Column("maybe_taken", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("expires_at", sa.BigInteger),
        sa.Column("delivered_at", sa.BigInteger),
        sa.Column("receipt", sa.JSON),
        sa.Column("fallback", sa.String),
    ):
        op.add_column("outbox", column)
    op.create_index("ix_outbox_fallback", "outbox", ["fallback"])
    op.create_table(
        "own_alerts",
        sa.Column("name", sa.String, primary_key=True),
        sa.Column("instance", sa.String, primary_key=True),
        sa.Column("episode", sa.String, nullable=False),
        sa.Column("severity", sa.String, nullable=False),
        sa.Column("text", sa.String, nullable=False),
        sa.Column("since", sa.BigInteger, nullable=False),
    )
