"""What happened: for pages that watch, and for auditors."""

import sqlalchemy as sa

from tocsin.records.tables.base import Key, Time, metadata

# What changed, for pages that watch: the id is the position in the event stream.
changes = sa.Table(
    "changes",
    metadata,
    sa.Column("id", Key, primary_key=True, autoincrement=True),
    sa.Column("topic", sa.String, nullable=False),
    sa.Column("recorded_at", Time, nullable=False),
    sqlite_autoincrement=True,
)

# Who did what: only ever added to, each record with the hash of the one before.
audit = sa.Table(
    "audit",
    metadata,
    sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("v", sa.Integer, nullable=False),
    sa.Column("ts", Time, nullable=False),
    sa.Column("actor", sa.String, nullable=False),
    sa.Column("auth", sa.String, nullable=False),
    sa.Column("event", sa.String, nullable=False),
    sa.Column("object", sa.String, nullable=False),
    # Canonical JSON as it was hashed.
    sa.Column("before", sa.Text, nullable=False),
    sa.Column("after", sa.Text, nullable=False),
    sa.Column("reason", sa.String, nullable=False),
    sa.Column("evidence", sa.Text, nullable=False),
    sa.Column("config_hash", sa.String, nullable=False),
    sa.Column("prev_hash", sa.String, nullable=False),
    sa.Column("hash", sa.String, nullable=False),
)
