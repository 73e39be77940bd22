"""Alerts, incidents, and who is told of them."""

import sqlalchemy as sa

from tocsin.records.tables.base import Key, Time, metadata, model_column

alert_states = sa.Table(
    "alert_states",
    metadata,
    model_column(),
    sa.Column("rule", sa.String, nullable=False),
    sa.Column("instance", sa.String, nullable=False),
    # Where it stands; it follows from the rest.
    sa.Column("phase", sa.String, nullable=False),
    sa.Column("since", Time),
    sa.Column("last_window", Time),
    # The state before the first window, and a letter for each window since.
    sa.Column("base", sa.JSON, nullable=False),
    sa.Column("first_window", Time, nullable=False),
    sa.Column("every", sa.BigInteger, nullable=False),
    sa.Column("letters", sa.Text, nullable=False),
    sa.PrimaryKeyConstraint("model_id", "rule", "instance"),
)

incidents = sa.Table(
    "incidents",
    metadata,
    sa.Column("id", Key, primary_key=True),
    model_column(),
    sa.Column("severity", sa.String, nullable=False),
    sa.Column("title", sa.String, nullable=False),
    # Event time: the end of the window that opened and of the one that closed it.
    sa.Column("opened", Time, nullable=False),
    sa.Column("resolved", Time),
    sa.Column("opened_at", Time, nullable=False),
    sa.Column("resolved_at", Time),
    sa.Column("window_size", sa.BigInteger, nullable=False),
    sa.Column("window_end", Time, nullable=False),
    sa.Column("causes", sa.JSON, nullable=False),
    # What people said; times are wall time.
    sa.Column("acknowledged_by", sa.String),
    sa.Column("acknowledged_at", Time),
    sa.Column("snoozed_until", Time),
    sa.Column("assignee", sa.String),
    sa.Column("verdict", sa.String),
    sa.Column("merged_into", sa.BigInteger),
)

episodes = sa.Table(
    "episodes",
    metadata,
    sa.Column("id", sa.String, primary_key=True),
    model_column(),
    sa.Column("incident_id", sa.ForeignKey("incidents.id")),
    sa.Column("rule", sa.String, nullable=False),
    sa.Column("instance", sa.String, nullable=False),
    sa.Column("severity", sa.String, nullable=False),
    sa.Column("category", sa.String, nullable=False),
    sa.Column("started", Time, nullable=False),
    sa.Column("fired", Time, nullable=False),
    sa.Column("resolved", Time),
    sa.Column("text", sa.String, nullable=False),
    sa.Column("labels", sa.JSON, nullable=False, server_default="{}"),
    sa.Column("summary", sa.String, nullable=False, server_default=""),
    sa.Column("runbook_url", sa.String, nullable=False, server_default=""),
    sa.Column("late", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("retracted", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("flapping", Time),
    sa.Column("title", sa.String, nullable=False, server_default=""),
    sa.Column("causes", sa.JSON, nullable=False, server_default="[]"),
    sa.Index("ix_episodes_model_id_resolved", "model_id", "resolved"),
)

timeline = sa.Table(
    "timeline",
    metadata,
    sa.Column("id", Key, primary_key=True),
    sa.Column("incident_id", sa.ForeignKey("incidents.id"), nullable=False, index=True),
    sa.Column("event_time", Time, nullable=False),
    sa.Column("recorded_at", Time, nullable=False),
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
    sa.Column("disabled_at", Time),
    # Whether it is kept only for its last words.
    sa.Column("leaving", sa.Boolean, nullable=False, server_default=sa.false()),
)

outbox = sa.Table(
    "outbox",
    metadata,
    sa.Column("id", Key, primary_key=True),
    # Messages of one order key leave one after the other.
    sa.Column("order_key", sa.String, nullable=False),
    sa.Column("receiver", sa.String, nullable=False),
    # To whom of a receiver of many; empty where it is one.
    sa.Column("target", sa.String, nullable=False, server_default=""),
    # The same over all repeats, so that a receiver can tell them.
    sa.Column("message_id", sa.String, nullable=False),
    sa.Column("payload", sa.JSON, nullable=False),
    sa.Column("state", sa.String, nullable=False),
    sa.Column("created_at", Time, nullable=False),
    sa.Column("due_at", Time, nullable=False),
    sa.Column("lease_until", Time),
    sa.Column("fence", sa.Integer, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("last_error", sa.String),
    sa.Column("severity", sa.String, nullable=False, server_default=""),
    # Whether a try that failed may have been taken all the same.
    sa.Column("maybe_taken", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("expires_at", Time),
    # When it was taken first; and by what the receiver knows it, where it says so.
    sa.Column("delivered_at", Time),
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
    sa.Column("since", Time, nullable=False),
)

# Who is told: the one document, and by what all open alerts were routed last.
routing = sa.Table(
    "routing",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("document", sa.JSON),
    sa.Column("changed_at", Time, nullable=False),
    sa.Column("routed_by", sa.String, nullable=False),
)

# What happened to alerts, as it is to be told.
news = sa.Table(
    "news",
    metadata,
    sa.Column("id", Key, primary_key=True),
    model_column(),
    sa.Column("episode_id", sa.ForeignKey("episodes.id"), nullable=False, index=True),
    sa.Column("event", sa.String, nullable=False),
    sa.Column("window_end", Time, nullable=False),
    sa.Column("recorded_at", Time, nullable=False),
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
    sa.Column("flush_at", Time, index=True),
    sa.Column("set_at", Time),
    sa.Column("flushed_at", Time),
    sa.Column("messages", sa.Integer, nullable=False, server_default="0"),
    sa.Index("ix_alert_groups_receiver", "receiver", "labels"),
)

# Where a receiver stands with an alert: kept, so that a changed route tells nobody twice.
notices = sa.Table(
    "notices",
    metadata,
    sa.Column("episode_id", sa.ForeignKey("episodes.id"), nullable=False),
    sa.Column("receiver", sa.String, nullable=False),
    model_column(),
    sa.Column("group_id", sa.ForeignKey("alert_groups.id"), nullable=False),
    # Whether it was told that the alert fires, when the last time, how often, and what is known.
    sa.Column("told", sa.Boolean, nullable=False),
    sa.Column("told_at", Time, nullable=False),
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
    sa.Column("id", Key, primary_key=True),
    # Matchers as people write them.
    sa.Column("matchers", sa.JSON, nullable=False),
    sa.Column("starts_at", Time, nullable=False),
    sa.Column("ends_at", Time, nullable=False, index=True),
    sa.Column("author", sa.String, nullable=False),
    sa.Column("comment", sa.String, nullable=False),
    sa.Column("created_at", Time, nullable=False),
)
