"""To whom of a receiver of many a message goes."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    """Apply."""
    column = sa.Column("target", sa.String(), nullable=False, server_default="")
    op.add_column("outbox", column)
