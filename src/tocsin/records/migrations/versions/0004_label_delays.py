"""How late labels came, and what that means for when a window is final."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Apply."""
    op.add_column("models", sa.Column("maturity", sa.JSON(), nullable=True))
    op.add_column("evaluations", sa.Column("delays", sa.LargeBinary(), nullable=True))
