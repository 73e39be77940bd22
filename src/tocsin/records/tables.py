"""The tables. Times are event time or wall time in microseconds UTC; documents are JSON."""

import sqlalchemy as sa

metadata = sa.MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "ix": "ix_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
    }
)

# 64 bits everywhere but in SQLite's automatic keys, which have to be called INTEGER.
_Key = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_Time = sa.BigInteger


def _model() -> sa.Column[int]:
    return sa.Column("model_id", sa.ForeignKey("models.id"), nullable=False)


models = sa.Table(
    "models",
    metadata,
    sa.Column("id", _Key, primary_key=True),
    sa.Column("name", sa.String, nullable=False, unique=True),
    sa.Column("monitor", sa.JSON, nullable=False),
    sa.Column("plan", sa.JSON, nullable=False),
    sa.Column("plan_digest", sa.String, nullable=False),
    sa.Column("reference", sa.LargeBinary, nullable=False),
    sa.Column("notes", sa.JSON, nullable=False),
    # The plan of the stored profiles; another than `plan_digest` until they are rebuilt.
    sa.Column("profiled_digest", sa.String, nullable=False, server_default=""),
    sa.Column("created_at", _Time, nullable=False),
    # Inbox entries up to here are in the profiles.
    sa.Column("folded_offset", sa.BigInteger, nullable=False, default=0),
    # The newest event time seen, and the window ends up to which windows were evaluated.
    sa.Column("newest_event", _Time),
    sa.Column("evaluated_until", _Time),
    # How late labels come, as far as it was learned.
    sa.Column("maturity", sa.JSON),
    # Rows of before have expired, their profiles are all that is known of them.
    sa.Column("retained_from", _Time),
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
    sa.Column("number", _Key, primary_key=True),
    sa.Column("actor", sa.String, nullable=False),
    sa.Column("applied_at", _Time, nullable=False),
    sa.Column("document", sa.JSON, nullable=False),
    sa.Column("digest", sa.String, nullable=False),
)

inbox = sa.Table(
    "inbox",
    metadata,
    sa.Column("offset", _Key, primary_key=True, autoincrement=True),
    _model(),
    sa.Column("kind", sa.String, nullable=False),
    sa.Column("rows", sa.Integer, nullable=False),
    sa.Column("received_at", _Time, nullable=False),
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
    _model(),
    sa.Column("requested", sa.Integer, nullable=False),
    sa.Column("requested_at", _Time, nullable=False),
    sa.Column("predictions", sa.BigInteger),
    sa.Column("outcomes", sa.BigInteger),
    sa.Column("quarantined", sa.BigInteger),
    sa.Column("done_at", _Time),
)

# Models that are no more. Their ids are in the names of folders, and not given again.
deletions = sa.Table(
    "deletions",
    metadata,
    sa.Column("model_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("name", sa.String, nullable=False),
    sa.Column("requested_at", _Time, nullable=False),
    # When its folder was removed; all else goes with the request.
    sa.Column("done_at", _Time),
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
    _model(),
    sa.Column("name", sa.String, nullable=False),
    sa.Column("value", sa.BigInteger, nullable=False),
    sa.PrimaryKeyConstraint("model_id", "name"),
)

profiles = sa.Table(
    "profiles",
    metadata,
    _model(),
    sa.Column("plan_digest", sa.String, nullable=False),
    sa.Column("version", sa.String, nullable=False),
    # Empty for all rows together.
    sa.Column("segment", sa.String, nullable=False),
    sa.Column("bucket", _Time, nullable=False),
    sa.Column("vector", sa.LargeBinary, nullable=False),
    sa.PrimaryKeyConstraint("model_id", "plan_digest", "segment", "bucket", "version"),
)

# Rows that came in and that no profile has, by kind: repeats, misfits and their reasons.
intake = sa.Table(
    "intake",
    metadata,
    _model(),
    sa.Column("bucket", _Time, nullable=False),
    sa.Column("kind", sa.String, nullable=False),
    sa.Column("rows", sa.BigInteger, nullable=False),
    sa.PrimaryKeyConstraint("model_id", "bucket", "kind"),
)

# What serving cost: sums by buckets of `records.operations`, which are of wall time.
operations = sa.Table(
    "operations",
    metadata,
    _model(),
    sa.Column("version", sa.String, nullable=False),
    sa.Column("bucket", _Time, nullable=False),
    sa.Column("vector", sa.LargeBinary, nullable=False),
    # A maximum cannot be in a vector of sums.
    sa.Column("rss_bytes", sa.BigInteger, nullable=False),
    sa.PrimaryKeyConstraint("model_id", "bucket", "version"),
)

# Which summaries of a serving process were added: all up to `newest` but the missing ones.
operation_processes = sa.Table(
    "operation_processes",
    metadata,
    _model(),
    sa.Column("process", sa.String, nullable=False),
    sa.Column("newest", sa.BigInteger, nullable=False),
    sa.Column("missing", sa.JSON, nullable=False),
    sa.Column("heard_until", _Time, nullable=False),
    sa.PrimaryKeyConstraint("model_id", "process"),
)

# How far sources were read; moved in the transaction that stores their rows.
source_positions = sa.Table(
    "source_positions",
    metadata,
    _model(),
    sa.Column("source", sa.String, nullable=False),
    sa.Column("position", sa.Text, nullable=False),
    sa.Column("moved_at", _Time, nullable=False),
    sa.PrimaryKeyConstraint("model_id", "source"),
)

# Days of a table elsewhere whose profiles are stored, and what their rows were like.
profiled_days = sa.Table(
    "profiled_days",
    metadata,
    _model(),
    sa.Column("day", sa.String, nullable=False),
    sa.Column("fingerprint", sa.String, nullable=False),
    sa.PrimaryKeyConstraint("model_id", "day"),
)

# Buckets whose profiles changed since their windows were evaluated.
changed_buckets = sa.Table(
    "changed_buckets",
    metadata,
    _model(),
    sa.Column("bucket", _Time, nullable=False),
    sa.PrimaryKeyConstraint("model_id", "bucket"),
)

evaluations = sa.Table(
    "evaluations",
    metadata,
    sa.Column("id", _Key, primary_key=True),
    _model(),
    sa.Column("segment", sa.String, nullable=False),
    sa.Column("window_size", sa.BigInteger, nullable=False),
    sa.Column("window_end", _Time, nullable=False),
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Column("rows", sa.BigInteger, nullable=False),
    sa.Column("labelled", sa.BigInteger, nullable=False),
    # What was known: inbox entries up to here, at this wall time.
    sa.Column("plan_digest", sa.String, nullable=False, server_default=""),
    sa.Column("known_offset", sa.BigInteger, nullable=False),
    sa.Column("known_at", _Time, nullable=False),
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

alert_states = sa.Table(
    "alert_states",
    metadata,
    _model(),
    sa.Column("rule", sa.String, nullable=False),
    sa.Column("instance", sa.String, nullable=False),
    # Where it stands; it follows from the rest.
    sa.Column("phase", sa.String, nullable=False),
    sa.Column("since", _Time),
    sa.Column("last_window", _Time),
    # The state before the first window, and a letter for each window since.
    sa.Column("base", sa.JSON, nullable=False),
    sa.Column("first_window", _Time, nullable=False),
    sa.Column("every", sa.BigInteger, nullable=False),
    sa.Column("letters", sa.Text, nullable=False),
    sa.PrimaryKeyConstraint("model_id", "rule", "instance"),
)

incidents = sa.Table(
    "incidents",
    metadata,
    sa.Column("id", _Key, primary_key=True),
    _model(),
    sa.Column("severity", sa.String, nullable=False),
    sa.Column("title", sa.String, nullable=False),
    # Event time: the end of the window that opened and of the one that closed it.
    sa.Column("opened", _Time, nullable=False),
    sa.Column("resolved", _Time),
    sa.Column("opened_at", _Time, nullable=False),
    sa.Column("resolved_at", _Time),
    sa.Column("window_size", sa.BigInteger, nullable=False),
    sa.Column("window_end", _Time, nullable=False),
    sa.Column("causes", sa.JSON, nullable=False),
    # What people said; times are wall time.
    sa.Column("acknowledged_by", sa.String),
    sa.Column("acknowledged_at", _Time),
    sa.Column("snoozed_until", _Time),
    sa.Column("assignee", sa.String),
    sa.Column("verdict", sa.String),
    sa.Column("merged_into", sa.BigInteger),
)

episodes = sa.Table(
    "episodes",
    metadata,
    sa.Column("id", sa.String, primary_key=True),
    _model(),
    sa.Column("incident_id", sa.ForeignKey("incidents.id")),
    sa.Column("rule", sa.String, nullable=False),
    sa.Column("instance", sa.String, nullable=False),
    sa.Column("severity", sa.String, nullable=False),
    sa.Column("category", sa.String, nullable=False),
    sa.Column("started", _Time, nullable=False),
    sa.Column("fired", _Time, nullable=False),
    sa.Column("resolved", _Time),
    sa.Column("text", sa.String, nullable=False),
    sa.Column("labels", sa.JSON, nullable=False, server_default="{}"),
    sa.Column("summary", sa.String, nullable=False, server_default=""),
    sa.Column("runbook_url", sa.String, nullable=False, server_default=""),
    sa.Column("late", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("retracted", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("flapping", _Time),
    sa.Column("title", sa.String, nullable=False, server_default=""),
    sa.Column("causes", sa.JSON, nullable=False, server_default="[]"),
    sa.Index("ix_episodes_model_id_resolved", "model_id", "resolved"),
)

timeline = sa.Table(
    "timeline",
    metadata,
    sa.Column("id", _Key, primary_key=True),
    sa.Column("incident_id", sa.ForeignKey("incidents.id"), nullable=False, index=True),
    sa.Column("event_time", _Time, nullable=False),
    sa.Column("recorded_at", _Time, nullable=False),
    sa.Column("kind", sa.String, nullable=False),
    sa.Column("text", sa.String, nullable=False),
    # Who did it; empty where nobody did.
    sa.Column("actor", sa.String, nullable=False, server_default=""),
)

receivers = sa.Table(
    "receivers",
    metadata,
    sa.Column("name", sa.String, primary_key=True),
    sa.Column("kind", sa.String, nullable=False),
    sa.Column("options", sa.JSON, nullable=False),
    # Who is told of what is critical while this one takes nothing.
    sa.Column("fallback", sa.String),
    # Why nothing is sent there any more, and since when.
    sa.Column("disabled", sa.String),
    # Whose channel it is: each row is one, with the receiver's name where that has no other.
    sa.Column("receiver", sa.String, nullable=False, server_default=""),
    sa.Column("disabled_at", _Time),
    # Whether it is kept only for its last words.
    sa.Column("leaving", sa.Boolean, nullable=False, server_default=sa.false()),
)

outbox = sa.Table(
    "outbox",
    metadata,
    sa.Column("id", _Key, primary_key=True),
    # Messages of one order key leave one after the other.
    sa.Column("order_key", sa.String, nullable=False),
    sa.Column("receiver", sa.String, nullable=False),
    # To whom of a receiver of many; empty where it is one.
    sa.Column("target", sa.String, nullable=False, server_default=""),
    # The same over all repeats, so that a receiver can tell them.
    sa.Column("message_id", sa.String, nullable=False),
    sa.Column("payload", sa.JSON, nullable=False),
    sa.Column("state", sa.String, nullable=False),
    sa.Column("created_at", _Time, nullable=False),
    sa.Column("due_at", _Time, nullable=False),
    sa.Column("lease_until", _Time),
    sa.Column("fence", sa.Integer, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("last_error", sa.String),
    sa.Column("severity", sa.String, nullable=False, server_default=""),
    # Whether a try that failed may have been taken all the same.
    sa.Column("maybe_taken", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("expires_at", _Time),
    # When it was taken first; and by what the receiver knows it, where it says so.
    sa.Column("delivered_at", _Time),
    sa.Column("receipt", sa.JSON(none_as_null=True)),
    # Who was told instead.
    sa.Column("fallback", sa.String),
    # Whether nothing is kept of it once it is over, as of a model that was deleted.
    sa.Column("forgets", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Index("ix_outbox_state_due_at", "state", "due_at"),
    sa.Index("ix_outbox_order_key", "order_key", "id"),
    sa.Index("ix_outbox_fallback", "fallback"),
    sa.Index("ix_outbox_forgets", "forgets"),
)

# What is wrong with Tocsin itself, as long as it is.
own_alerts = sa.Table(
    "own_alerts",
    metadata,
    sa.Column("name", sa.String, primary_key=True),
    sa.Column("instance", sa.String, primary_key=True),
    sa.Column("episode", sa.String, nullable=False),
    sa.Column("severity", sa.String, nullable=False),
    sa.Column("text", sa.String, nullable=False),
    sa.Column("since", _Time, nullable=False),
)

# Who is told: the one document, and by what all open alerts were routed last.
routing = sa.Table(
    "routing",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("document", sa.JSON),
    sa.Column("changed_at", _Time, nullable=False),
    sa.Column("routed_by", sa.String, nullable=False),
)

# What happened to alerts, as it is to be told.
news = sa.Table(
    "news",
    metadata,
    sa.Column("id", _Key, primary_key=True),
    _model(),
    sa.Column("episode_id", sa.ForeignKey("episodes.id"), nullable=False, index=True),
    sa.Column("event", sa.String, nullable=False),
    sa.Column("window_end", _Time, nullable=False),
    sa.Column("recorded_at", _Time, nullable=False),
)

# Alerts that one receiver is told of in one message, by the labels that they share: one row from
# the first that fires until all are over, and another one the next time.
alert_groups = sa.Table(
    "alert_groups",
    metadata,
    sa.Column("id", sa.String, primary_key=True),
    sa.Column("receiver", sa.String, nullable=False),
    # The labels as canonical JSON.
    sa.Column("labels", sa.String, nullable=False),
    # When it is looked at next, null while nothing is open; when that was set, and the last time.
    sa.Column("flush_at", _Time, index=True),
    sa.Column("set_at", _Time),
    sa.Column("flushed_at", _Time),
    sa.Column("messages", sa.Integer, nullable=False, server_default="0"),
    sa.Index("ix_alert_groups_receiver", "receiver", "labels"),
)

# Where a receiver stands with an alert: kept, so that a changed route tells nobody twice.
notices = sa.Table(
    "notices",
    metadata,
    sa.Column("episode_id", sa.ForeignKey("episodes.id"), nullable=False),
    sa.Column("receiver", sa.String, nullable=False),
    _model(),
    sa.Column("group_id", sa.ForeignKey("alert_groups.id"), nullable=False),
    # Whether it was told that the alert fires, when the last time, how often, and what is known.
    sa.Column("told", sa.Boolean, nullable=False),
    sa.Column("told_at", _Time, nullable=False),
    sa.Column("tellings", sa.Integer, nullable=False),
    sa.Column("news_id", sa.BigInteger, nullable=False),
    # How often the alert fired again under its name after it was over.
    sa.Column("rounds", sa.Integer, nullable=False),
    # Why it was held back when it was looked at last.
    sa.Column("held_reason", sa.String),
    sa.Column("held_words", sa.String),
    sa.Column("closed", sa.Boolean, nullable=False),
    # Who wanted it told there whatever the routes say, and why.
    sa.Column("escalated", sa.String),
    sa.PrimaryKeyConstraint("episode_id", "receiver"),
    sa.Index("ix_notices_group_id", "group_id", "closed"),
)

silences = sa.Table(
    "silences",
    metadata,
    sa.Column("id", _Key, primary_key=True),
    # Matchers as people write them.
    sa.Column("matchers", sa.JSON, nullable=False),
    sa.Column("starts_at", _Time, nullable=False),
    sa.Column("ends_at", _Time, nullable=False, index=True),
    sa.Column("author", sa.String, nullable=False),
    sa.Column("comment", sa.String, nullable=False),
    sa.Column("created_at", _Time, nullable=False),
)

# What a version of a model relies on, by the plan that its reference gave and how it was found.
importances = sa.Table(
    "importances",
    metadata,
    _model(),
    sa.Column("version", sa.String, nullable=False),
    sa.Column("plan_digest", sa.String, nullable=False),
    sa.Column("method", sa.String, nullable=False),
    sa.Column("importance", sa.JSON, nullable=False),
    sa.Column("computed_at", _Time, nullable=False),
    sa.PrimaryKeyConstraint("model_id", "version", "plan_digest", "method"),
)

# What changed, for pages that watch: the id is the position in the event stream.
changes = sa.Table(
    "changes",
    metadata,
    sa.Column("id", _Key, primary_key=True, autoincrement=True),
    sa.Column("topic", sa.String, nullable=False),
    sa.Column("recorded_at", _Time, nullable=False),
    sqlite_autoincrement=True,
)

# Who did what: only ever added to, each record with the hash of the one before.
audit = sa.Table(
    "audit",
    metadata,
    sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("v", sa.Integer, nullable=False),
    sa.Column("ts", _Time, nullable=False),
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

# When aliases of registered models moved, as far as it was seen or done.
alias_moves = sa.Table(
    "alias_moves",
    metadata,
    sa.Column("id", _Key, primary_key=True, autoincrement=True),
    sa.Column("registered", sa.String, nullable=False),
    sa.Column("alias", sa.String, nullable=False),
    # None before it was set, or after it was deleted.
    sa.Column("from_version", sa.String),
    sa.Column("to_version", sa.String),
    sa.Column("moved_at", _Time, nullable=False),
    # The last time when it was seen elsewhere; None where it was never looked for before.
    sa.Column("after_at", _Time),
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
    sa.Column("created_at", _Time, nullable=False),
    sa.Column("run_id", sa.String, nullable=False),
    sa.PrimaryKeyConstraint("registered", "version"),
)

# When a registered model was looked at last.
registry_looks = sa.Table(
    "registry_looks",
    metadata,
    sa.Column("registered", sa.String, primary_key=True),
    sa.Column("looked_at", _Time, nullable=False),
)

# Moves that were begun and whose end is not known.
open_moves = sa.Table(
    "open_moves",
    metadata,
    sa.Column("registered", sa.String, nullable=False),
    sa.Column("alias", sa.String, nullable=False),
    sa.Column("begun_at", _Time, nullable=False),
    sa.Column("document", sa.JSON, nullable=False),
    sa.PrimaryKeyConstraint("registered", "alias"),
)

# Deliveries of MLflow's webhooks that were taken, and what they said.
webhook_deliveries = sa.Table(
    "webhook_deliveries",
    metadata,
    sa.Column("id", sa.String, primary_key=True),
    sa.Column("received_at", _Time, nullable=False),
    sa.Column("sent_at", _Time, nullable=False),
    sa.Column("registered", sa.String, nullable=False),
    sa.Column("alias", sa.String),
    sa.Column("version", sa.String),
)

# How far results went back to MLflow, by topic: evaluations, incidents, tags.
published = sa.Table(
    "published",
    metadata,
    _model(),
    sa.Column("topic", sa.String, nullable=False),
    sa.Column("position", sa.String, nullable=False),
    sa.PrimaryKeyConstraint("model_id", "topic"),
)
