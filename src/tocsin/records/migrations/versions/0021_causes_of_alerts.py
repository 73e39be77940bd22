"""Each alert keeps its own causes; an incident shows those of all."""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"

_INCIDENTS = sa.table(
    "incidents",
    *(sa.column(name) for name in ("id", "title", "window_size", "window_end")),
    sa.column("causes", sa.JSON),
)
_EPISODES = sa.table(
    "episodes",
    *(sa.column(name) for name in ("id", "incident_id", "rule", "instance", "fired")),
    sa.column("title"),
    sa.column("causes", sa.JSON),
)


def upgrade() -> None:
    """The causes that an incident had were ranked for the newest alert until then."""
    op.add_column("episodes", sa.Column("title", sa.String, nullable=False, server_default=""))
    op.add_column("episodes", sa.Column("causes", sa.JSON, nullable=False, server_default="[]"))
    connection = op.get_bind()
    for incident in connection.execute(sa.select(_INCIDENTS)).all():
        mine = _EPISODES.c.incident_id == incident.id
        connection.execute(_EPISODES.update().where(mine).values(title=incident.title))
        ordered = sa.select(_EPISODES).where(mine).order_by(_EPISODES.c.fired, _EPISODES.c.id)
        episodes = connection.execute(ordered).all()
        causes = [
            {**cause, "window_size": incident.window_size, "window_end": incident.window_end}
            for cause in incident.causes
        ]
        if not causes or not episodes:
            continue
        before = [episode for episode in episodes if episode.fired <= incident.window_end]
        of = (before or episodes[:1])[-1]
        told = [{**cause, "alert": of.rule, "instance": of.instance} for cause in causes]
        for table, key, value in ((_EPISODES, of.id, causes), (_INCIDENTS, incident.id, told)):
            connection.execute(table.update().where(table.c.id == key).values(causes=value))
