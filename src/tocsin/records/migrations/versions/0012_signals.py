"""What was expected of the labels, what was found of the data, and how the series went."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Apply."""
    for name in ("estimates", "quality", "trends"):
        op.add_column("evaluations", sa.Column(name, sa.LargeBinary(), nullable=True))
