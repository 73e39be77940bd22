"""What is known of the MLflow registry, and what went back to it."""

import sqlalchemy as sa

from tocsin.records.tables.base import Key, Time, metadata, model_column

# When aliases of registered models moved, as far as it was seen or done.
alias_moves = sa.Table(
    "alias_moves",
    metadata,
    sa.Column("id", Key, primary_key=True, autoincrement=True),
    sa.Column("registered", sa.String, nullable=False),
    sa.Column("alias", sa.String, nullable=False),
    # None before it was set, or after it was deleted.
    sa.Column("from_version", sa.String),
    sa.Column("to_version", sa.String),
    sa.Column("moved_at", Time, nullable=False),
    # The last time when it was seen elsewhere; None where it was never looked for before.
    sa.Column("after_at", Time),
    sa.Column("actor", sa.String, nullable=False),
    sa.Column("reason", sa.String, nullable=False),
    sa.Column("source", sa.String, nullable=False),
    sa.Index("ix_alias_moves_registered", "registered", "alias", "id"),
    sqlite_autoincrement=True,
)

# Versions of registered models as they were seen last.
registered_versions = sa.Table(
    "registered_versions",
    metadata,
    sa.Column("registered", sa.String, nullable=False),
    sa.Column("version", sa.String, nullable=False),
    sa.Column("status", sa.String, nullable=False),
    sa.Column("created_at", Time, nullable=False),
    sa.Column("run_id", sa.String, nullable=False),
    sa.PrimaryKeyConstraint("registered", "version"),
)

# When a registered model was looked at last.
registry_looks = sa.Table(
    "registry_looks",
    metadata,
    sa.Column("registered", sa.String, primary_key=True),
    sa.Column("looked_at", Time, nullable=False),
)

# Moves that were begun and whose end is not known.
open_moves = sa.Table(
    "open_moves",
    metadata,
    sa.Column("registered", sa.String, nullable=False),
    sa.Column("alias", sa.String, nullable=False),
    sa.Column("begun_at", Time, nullable=False),
    sa.Column("document", sa.JSON, nullable=False),
    sa.PrimaryKeyConstraint("registered", "alias"),
)

# Deliveries of MLflow's webhooks that were taken, and what they said.
webhook_deliveries = sa.Table(
    "webhook_deliveries",
    metadata,
    sa.Column("id", sa.String, primary_key=True),
    sa.Column("received_at", Time, nullable=False),
    sa.Column("sent_at", Time, nullable=False),
    sa.Column("registered", sa.String, nullable=False),
    sa.Column("alias", sa.String),
    sa.Column("version", sa.String),
)

# How far results went back to MLflow, by topic: evaluations, incidents, tags.
published = sa.Table(
    "published",
    metadata,
    model_column(),
    sa.Column("topic", sa.String, nullable=False),
    sa.Column("position", sa.String, nullable=False),
    sa.PrimaryKeyConstraint("model_id", "topic"),
)
