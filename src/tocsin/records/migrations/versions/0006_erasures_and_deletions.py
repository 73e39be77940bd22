"""What became of erasures, models that are deleted, and how far a rebuild is."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "erasures",
        sa.Column("offset", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("model_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("requested", sa.Integer(), nullable=False),
        sa.Column("requested_at", sa.BigInteger(), nullable=False),
        sa.Column("predictions", sa.BigInteger(), nullable=True),
        sa.Column("outcomes", sa.BigInteger(), nullable=True),
        sa.Column("quarantined", sa.BigInteger(), nullable=True),
        sa.Column("done_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["model_id"], ["models.id"], name=op.f("fk_erasures_model_id_models")
        ),
        sa.PrimaryKeyConstraint("offset", name=op.f("pk_erasures")),
    )
    op.create_table(
        "deletions",
        sa.Column("model_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("requested_at", sa.BigInteger(), nullable=False),
        sa.Column("done_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("model_id", name=op.f("pk_deletions")),
    )
    op.add_column("models", sa.Column("rebuild_days", sa.Integer(), nullable=True))
    op.add_column("models", sa.Column("rebuild_days_done", sa.Integer(), nullable=True))
