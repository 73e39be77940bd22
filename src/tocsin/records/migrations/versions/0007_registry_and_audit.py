"""Who did what, and where aliases of registered models were."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Apply."""
    _add_audit()
    op.create_table(
        "alias_moves",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            primary_key=True,
            autoincrement=True,
        ),
        sa.Column("registered", sa.String(), nullable=False),
        sa.Column("alias", sa.String(), nullable=False),
        sa.Column("from_version", sa.String(), nullable=True),
        sa.Column("to_version", sa.String(), nullable=True),
        sa.Column("moved_at", sa.BigInteger(), nullable=False),
        sa.Column("after_at", sa.BigInteger(), nullable=True),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_alias_moves_registered", "alias_moves", ["registered", "alias", "id"])
    op.create_table(
        "registered_versions",
        sa.Column("registered", sa.String(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("run_id", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("registered", "version", name="pk_registered_versions"),
    )
    op.create_table(
        "registry_looks",
        sa.Column("registered", sa.String(), primary_key=True),
        sa.Column("looked_at", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "open_moves",
        sa.Column("registered", sa.String(), nullable=False),
        sa.Column("alias", sa.String(), nullable=False),
        sa.Column("begun_at", sa.BigInteger(), nullable=False),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("registered", "alias", name="pk_open_moves"),
    )
    op.create_table(
        "webhook_deliveries",
        sa.Column("id", sa.String(), primary_key=True),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("sent_at", sa.BigInteger(), nullable=False),
        sa.Column("registered", sa.String(), nullable=False),
        sa.Column("alias", sa.String(), nullable=True),
        sa.Column("version", sa.String(), nullable=True),
    )


def _add_audit() -> None:
    op.create_table(
        "audit",
        sa.Column("seq", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("v", sa.Integer(), nullable=False),
        sa.Column("ts", sa.BigInteger(), nullable=False),
        *(
            sa.Column(name, sa.String(), nullable=False)
            for name in ("actor", "auth", "event", "object")
        ),
        sa.Column("before", sa.Text(), nullable=False),
        sa.Column("after", sa.Text(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("evidence", sa.Text(), nullable=False),
        *(
            sa.Column(name, sa.String(), nullable=False)
            for name in ("config_hash", "prev_hash", "hash")
        ),
    )
    if op.get_bind().dialect.name == "sqlite":
        # Against slips of ours; against others there is the chain of hashes.
        for verb in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER audit_no_{verb.lower()} BEFORE {verb} ON audit "
                "BEGIN SELECT RAISE(ABORT, 'audit is only ever added to'); END"
            )
