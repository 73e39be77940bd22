"""Models, their rows and profiles, and what was measured of them."""

import sqlalchemy as sa

from tocsin.records.tables.base import Key, Time, metadata, model_column

models = sa.Table(
    "models",
    metadata,
    sa.Column("id", Key, primary_key=True),
    sa.Column("name", sa.String, nullable=False, unique=True),
    sa.Column("monitor", sa.JSON, nullable=False),
    sa.Column("plan", sa.JSON, nullable=False),
    sa.Column("plan_digest", sa.String, nullable=False),
    sa.Column("reference", sa.LargeBinary, nullable=False),
    sa.Column("notes", sa.JSON, nullable=False),
    # The plan of the stored profiles; another than `plan_digest` until they are rebuilt.
    sa.Column("profiled_digest", sa.String, nullable=False, server_default=""),
    sa.Column("created_at", Time, nullable=False),
    # Inbox entries up to here are in the profiles.
    sa.Column("folded_offset", sa.BigInteger, nullable=False, default=0),
    # The newest event time seen, and the window ends up to which windows were evaluated.
    sa.Column("newest_event", Time),
    sa.Column("evaluated_until", Time),
    # How late labels come, as far as it was learned.
    sa.Column("maturity", sa.JSON),
    # Rows of before have expired, their profiles are all that is known of them.
    sa.Column("retained_from", Time),
    # How many days of the lake a rebuild reads, and has read; null while there is none.
    sa.Column("rebuild_days", sa.Integer),
    sa.Column("rebuild_days_done", sa.Integer),
    # Of the rows that were given as the reference; null where nobody noted it.
    sa.Column("reference_digest", sa.String),
)

# Every configuration that was applied from files, the newest of which holds.
applied = sa.Table(
    "applied",
    metadata,
    sa.Column("number", Key, primary_key=True),
    sa.Column("actor", sa.String, nullable=False),
    sa.Column("applied_at", Time, nullable=False),
    sa.Column("document", sa.JSON, nullable=False),
    sa.Column("digest", sa.String, nullable=False),
)

inbox = sa.Table(
    "inbox",
    metadata,
    sa.Column("offset", Key, primary_key=True, autoincrement=True),
    model_column(),
    sa.Column("kind", sa.String, nullable=False),
    sa.Column("rows", sa.Integer, nullable=False),
    sa.Column("received_at", Time, nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
    sa.Index("ix_inbox_model_id_offset", "model_id", "offset"),
    # An offset is never given twice, even when the inbox has been emptied.
    sqlite_autoincrement=True,
)

# What became of requests to erase, by their offset: numbers, and nothing of whom they were about.
erasures = sa.Table(
    "erasures",
    metadata,
    sa.Column("offset", sa.BigInteger, primary_key=True, autoincrement=False),
    model_column(),
    sa.Column("requested", sa.Integer, nullable=False),
    sa.Column("requested_at", Time, nullable=False),
    sa.Column("predictions", sa.BigInteger),
    sa.Column("outcomes", sa.BigInteger),
    sa.Column("quarantined", sa.BigInteger),
    sa.Column("done_at", Time),
)

# Models that are no more. Their ids are in the names of folders, and not given again.
deletions = sa.Table(
    "deletions",
    metadata,
    sa.Column("model_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("name", sa.String, nullable=False),
    sa.Column("requested_at", Time, nullable=False),
    # When its folder was removed; all else goes with the request.
    sa.Column("done_at", Time),
)

# The newest id that was given in a table; ids of deleted rows are told to others and stay theirs.
given_ids = sa.Table(
    "given_ids",
    metadata,
    sa.Column("of", sa.String, primary_key=True),
    sa.Column("newest", sa.BigInteger, nullable=False),
)

counters = sa.Table(
    "counters",
    metadata,
    model_column(),
    sa.Column("name", sa.String, nullable=False),
    sa.Column("value", sa.BigInteger, nullable=False),
    sa.PrimaryKeyConstraint("model_id", "name"),
)

profiles = sa.Table(
    "profiles",
    metadata,
    model_column(),
    sa.Column("plan_digest", sa.String, nullable=False),
    sa.Column("version", sa.String, nullable=False),
    # Empty for all rows together.
    sa.Column("segment", sa.String, nullable=False),
    sa.Column("bucket", Time, nullable=False),
    sa.Column("vector", sa.LargeBinary, nullable=False),
    sa.PrimaryKeyConstraint("model_id", "plan_digest", "segment", "bucket", "version"),
)

# Rows that came in and that no profile has, by kind: repeats, misfits and their reasons.
intake = sa.Table(
    "intake",
    metadata,
    model_column(),
    sa.Column("bucket", Time, nullable=False),
    sa.Column("kind", sa.String, nullable=False),
    sa.Column("rows", sa.BigInteger, nullable=False),
    sa.PrimaryKeyConstraint("model_id", "bucket", "kind"),
)

# What serving cost: sums by buckets of `records.operations`, which are of wall time.
operations = sa.Table(
    "operations",
    metadata,
    model_column(),
    sa.Column("version", sa.String, nullable=False),
    sa.Column("bucket", Time, nullable=False),
    sa.Column("vector", sa.LargeBinary, nullable=False),
    # A maximum cannot be in a vector of sums.
    sa.Column("rss_bytes", sa.BigInteger, nullable=False),
    sa.PrimaryKeyConstraint("model_id", "bucket", "version"),
)

# Which summaries of a serving process were added: all up to `newest` but the missing ones.
operation_processes = sa.Table(
    "operation_processes",
    metadata,
    model_column(),
    sa.Column("process", sa.String, nullable=False),
    sa.Column("newest", sa.BigInteger, nullable=False),
    sa.Column("missing", sa.JSON, nullable=False),
    sa.Column("heard_until", Time, nullable=False),
    sa.PrimaryKeyConstraint("model_id", "process"),
)

# How far sources were read; moved in the transaction that stores their rows.
source_positions = sa.Table(
    "source_positions",
    metadata,
    model_column(),
    sa.Column("source", sa.String, nullable=False),
    sa.Column("position", sa.Text, nullable=False),
    sa.Column("moved_at", Time, nullable=False),
    sa.PrimaryKeyConstraint("model_id", "source"),
)

# Days of a table elsewhere whose profiles are stored, and what their rows were like.
profiled_days = sa.Table(
    "profiled_days",
    metadata,
    model_column(),
    sa.Column("day", sa.String, nullable=False),
    sa.Column("fingerprint", sa.String, nullable=False),
    sa.PrimaryKeyConstraint("model_id", "day"),
)

# Buckets whose profiles changed since their windows were evaluated.
changed_buckets = sa.Table(
    "changed_buckets",
    metadata,
    model_column(),
    sa.Column("bucket", Time, nullable=False),
    sa.PrimaryKeyConstraint("model_id", "bucket"),
)

evaluations = sa.Table(
    "evaluations",
    metadata,
    sa.Column("id", Key, primary_key=True),
    model_column(),
    sa.Column("segment", sa.String, nullable=False),
    sa.Column("window_size", sa.BigInteger, nullable=False),
    sa.Column("window_end", Time, nullable=False),
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Column("rows", sa.BigInteger, nullable=False),
    sa.Column("labelled", sa.BigInteger, nullable=False),
    # What was known: inbox entries up to here, at this wall time.
    sa.Column("plan_digest", sa.String, nullable=False, server_default=""),
    sa.Column("known_offset", sa.BigInteger, nullable=False),
    sa.Column("known_at", Time, nullable=False),
    sa.Column("versions", sa.JSON, nullable=False),
    sa.Column("measures", sa.LargeBinary, nullable=False),
    sa.Column("shifts", sa.LargeBinary, nullable=False),
    # Labelled rows by label delay.
    sa.Column("delays", sa.LargeBinary),
    # What was expected of the labels, what was found of the data, and how the series went.
    sa.Column("estimates", sa.LargeBinary),
    sa.Column("quality", sa.LargeBinary),
    sa.Column("trends", sa.LargeBinary),
    sa.UniqueConstraint("model_id", "segment", "window_size", "window_end", "revision"),
)

# What a version of a model relies on, by the plan that its reference gave and how it was found.
importances = sa.Table(
    "importances",
    metadata,
    model_column(),
    sa.Column("version", sa.String, nullable=False),
    sa.Column("plan_digest", sa.String, nullable=False),
    sa.Column("method", sa.String, nullable=False),
    sa.Column("importance", sa.JSON, nullable=False),
    sa.Column("computed_at", Time, nullable=False),
    sa.PrimaryKeyConstraint("model_id", "version", "plan_digest", "method"),
)
