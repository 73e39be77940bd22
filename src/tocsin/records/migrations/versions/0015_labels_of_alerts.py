"""Alerts carry the labels of their rules, and what those say to people."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    """Add the columns."""
    op.add_column("episodes", sa.Column("labels", sa.JSON, nullable=False, server_default="{}"))
    for name in ("summary", "runbook_url"):
        op.add_column("episodes", sa.Column(name, sa.String, nullable=False, server_default=""))
