"""The newest id that was given in tables whose ids are told to others."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "given_ids",
        sa.Column("of", sa.String(), nullable=False),
        sa.Column("newest", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("of", name=op.f("pk_given_ids")),
    )
    for table in ("incidents", "timeline", "outbox"):
        op.execute(
            f"INSERT INTO given_ids SELECT '{table}', newest "
            f"FROM (SELECT max(id) AS newest FROM {table}) WHERE newest IS NOT NULL"
        )
