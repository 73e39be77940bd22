"""Who is told what: an alert's news becomes messages in the outbox."""

from sqlalchemy.engine import Connection

from tocsin.records import outbox
from tocsin.records.alerts import Episode, Incident
from tocsin.service.facts import facts_of
from tocsin.service.message import notification


class Notify:
    """Writes what receivers are to be told, in the transaction that made the news."""

    def __init__(self, base_url: str) -> None:
        self._base_url = base_url

    def tell(
        self,
        connection: Connection,
        incident: Incident,
        episode: Episode,
        event: str,
        *,
        window_end: int,
        now: int,
    ) -> None:
        """Tell every receiver that an episode fired or resolved."""
        payload = notification(
            incident,
            episode,
            event,
            window_end=window_end,
            base_url=self._base_url,
            facts=facts_of(connection, incident, episode, window_end),
        )
        for receiver in outbox.all_receivers(connection):
            for target in receiver.targets:
                outbox.put(
                    connection,
                    receiver=receiver.name,
                    target=target,
                    order_key=f"{receiver.name}/{episode.id}{f'/{target}' if target else ''}",
                    message_id=f"{episode.id}.{event}",
                    payload=payload,
                    now=now,
                )
