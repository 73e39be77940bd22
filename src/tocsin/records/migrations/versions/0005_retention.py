"""From which time on a model's rows are kept."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Apply."""
    op.add_column("models", sa.Column("retained_from", sa.BigInteger(), nullable=True))
