"""What people do about incidents."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    """Add the columns."""
    for name, kind in (
        ("acknowledged_by", sa.String),
        ("acknowledged_at", sa.BigInteger),
        ("snoozed_until", sa.BigInteger),
        ("assignee", sa.String),
        ("verdict", sa.String),
        ("merged_into", sa.BigInteger),
    ):
        op.add_column("incidents", sa.Column(name, kind))
    op.add_column("timeline", sa.Column("actor", sa.String, nullable=False, server_default=""))
