"""Which plan the stored profiles are of, and which days of a table elsewhere are among them."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Apply."""
    op.add_column(
        "models", sa.Column("profiled_digest", sa.String(), server_default="", nullable=False)
    )
    op.execute("UPDATE models SET profiled_digest = plan_digest")
    op.add_column(
        "evaluations", sa.Column("plan_digest", sa.String(), server_default="", nullable=False)
    )
    op.create_table(
        "profiled_days",
        sa.Column("model_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("day", sa.String(), nullable=False),
        sa.Column("fingerprint", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["model_id"], ["models.id"], name=op.f("fk_profiled_days_model_id")
        ),
        sa.PrimaryKeyConstraint("model_id", "day", name=op.f("pk_profiled_days")),
    )
