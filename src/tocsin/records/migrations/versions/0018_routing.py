"""Who is told of alerts, in groups; what was told before is remembered as told."""

import json
from typing import Any
from uuid import uuid4

import sqlalchemy as sa
from alembic import op
from sqlalchemy.engine import Connection

revision = "0018"
down_revision = "0017"

_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add the tables, and note what receivers know of alerts that are open."""
    op.create_table(
        "routing",
        sa.Column("id", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("document", sa.JSON),
        sa.Column("changed_at", sa.BigInteger, nullable=False),
        sa.Column("routed_by", sa.String, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_routing"),
    )
    op.create_table(
        "news",
        sa.Column("id", _KEY, nullable=False),
        sa.Column("model_id", _KEY, nullable=False),
        sa.Column("episode_id", sa.String, nullable=False),
        sa.Column("event", sa.String, nullable=False),
        sa.Column("window_end", sa.BigInteger, nullable=False),
        sa.Column("recorded_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_news"),
        sa.ForeignKeyConstraint(["model_id"], ["models.id"], name="fk_news_model_id"),
        sa.ForeignKeyConstraint(["episode_id"], ["episodes.id"], name="fk_news_episode_id"),
    )
    op.create_index("ix_news_episode_id", "news", ["episode_id"])
    op.create_table(
        "alert_groups",
        sa.Column("id", sa.String, nullable=False),
        sa.Column("receiver", sa.String, nullable=False),
        sa.Column("labels", sa.String, nullable=False),
        sa.Column("flush_at", sa.BigInteger),
        sa.Column("set_at", sa.BigInteger),
        sa.Column("flushed_at", sa.BigInteger),
        sa.Column("messages", sa.Integer, nullable=False, server_default="0"),
        sa.PrimaryKeyConstraint("id", name="pk_alert_groups"),
    )
    op.create_index("ix_alert_groups_receiver", "alert_groups", ["receiver", "labels"])
    op.create_index("ix_alert_groups_flush_at", "alert_groups", ["flush_at"])
    op.create_table(
        "notices",
        sa.Column("episode_id", sa.String, nullable=False),
        sa.Column("receiver", sa.String, nullable=False),
        sa.Column("model_id", _KEY, nullable=False),
        sa.Column("group_id", sa.String, nullable=False),
        sa.Column("told", sa.Boolean, nullable=False),
        sa.Column("told_at", sa.BigInteger, nullable=False),
        sa.Column("tellings", sa.Integer, nullable=False),
        sa.Column("news_id", sa.BigInteger, nullable=False),
        sa.Column("rounds", sa.Integer, nullable=False),
        sa.Column("held_reason", sa.String),
        sa.Column("held_words", sa.String),
        sa.Column("closed", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("episode_id", "receiver", name="pk_notices"),
        sa.ForeignKeyConstraint(["episode_id"], ["episodes.id"], name="fk_notices_episode_id"),
        sa.ForeignKeyConstraint(["model_id"], ["models.id"], name="fk_notices_model_id"),
        sa.ForeignKeyConstraint(["group_id"], ["alert_groups.id"], name="fk_notices_group_id"),
    )
    op.create_index("ix_notices_group_id", "notices", ["group_id", "closed"])
    op.create_table(
        "silences",
        sa.Column("id", _KEY, nullable=False),
        sa.Column("matchers", sa.JSON, nullable=False),
        sa.Column("starts_at", sa.BigInteger, nullable=False),
        sa.Column("ends_at", sa.BigInteger, nullable=False),
        sa.Column("author", sa.String, nullable=False),
        sa.Column("comment", sa.String, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_silences"),
    )
    op.create_index("ix_silences_ends_at", "silences", ["ends_at"])
    _note_what_was_told(op.get_bind())


def _note_what_was_told(connection: Connection) -> None:
    """Alerts that fire now are not told anew, and that they are over goes to whom they went."""
    then = sa.MetaData()
    then.reflect(connection, only=["episodes", "models", "outbox", "news", "notices"])
    then.reflect(connection, only=["alert_groups"])
    episodes, models, outbox = (then.tables[name] for name in ("episodes", "models", "outbox"))
    opened = (
        sa.select(episodes.c.id, episodes.c.model_id, episodes.c.fired, models.c.name)
        .join(models, models.c.id == episodes.c.model_id)
        .where(episodes.c.resolved.is_(None))
    )
    groups: dict[tuple[str, str], str] = {}
    for number, episode in enumerate(connection.execute(opened).all(), 1):
        sent = sa.select(outbox.c.receiver, sa.func.max(outbox.c.created_at)).where(
            outbox.c.message_id == f"{episode.id}.fired"
        )
        told = connection.execute(sent.group_by(outbox.c.receiver)).all()
        at = max((row[1] for row in told), default=episode.fired)
        fired = {"event": "fired", "window_end": episode.fired, "recorded_at": at}
        mine = {"model_id": episode.model_id, "episode_id": episode.id}
        connection.execute(then.tables["news"].insert().values(id=number, **mine, **fired))
        for receiver, told_at in told:
            group = _group(connection, then, groups, receiver, episode.name, told_at)
            values: dict[str, Any] = {"told": True, "told_at": told_at, "tellings": 1}
            values |= {"news_id": number, "rounds": 0, "closed": False}
            connection.execute(
                then.tables["notices"]
                .insert()
                .values(receiver=receiver, group_id=group, **mine, **values)
            )
    newest = connection.execute(sa.select(sa.func.max(then.tables["news"].c.id))).scalar()
    if newest is not None:
        connection.execute(
            sa.text("INSERT INTO given_ids (\"of\", newest) VALUES ('news', :newest)"),
            {"newest": newest},
        )


def _group(
    connection: Connection,
    then: sa.MetaData,
    groups: dict[tuple[str, str], str],
    receiver: str,
    model: str,
    told_at: int,
) -> str:
    """The group of a receiver and a model, made with the first alert."""
    labels = json.dumps({"model": model}, separators=(",", ":"), ensure_ascii=False)
    if (receiver, labels) not in groups:
        groups[receiver, labels] = str(uuid4())
        table = then.tables["alert_groups"]
        values = {"flush_at": told_at, "set_at": told_at, "flushed_at": told_at, "messages": 0}
        connection.execute(
            table.insert().values(
                id=groups[receiver, labels], receiver=receiver, labels=labels, **values
            )
        )
    return groups[receiver, labels]
