"""What serving cost, and which summaries of it were added."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

_MODEL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "operations",
        sa.Column("model_id", _MODEL, nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("bucket", sa.BigInteger(), nullable=False),
        sa.Column("vector", sa.LargeBinary(), nullable=False),
        sa.Column("rss_bytes", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("model_id", "bucket", "version", name=op.f("pk_operations")),
        sa.ForeignKeyConstraint(["model_id"], ["models.id"], name=op.f("fk_operations_model_id")),
    )
    op.create_table(
        "operation_processes",
        sa.Column("model_id", _MODEL, nullable=False),
        sa.Column("process", sa.String(), nullable=False),
        sa.Column("newest", sa.BigInteger(), nullable=False),
        sa.Column("missing", sa.JSON(), nullable=False),
        sa.Column("heard_until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("model_id", "process", name=op.f("pk_operation_processes")),
        sa.ForeignKeyConstraint(
            ["model_id"], ["models.id"], name=op.f("fk_operation_processes_model_id")
        ),
    )
