"""A real Alertmanager: what fires is there while it is said again, and gone when it is over."""

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import httpx2
import pytest
from tests.notify.conftest import LOOPBACK, PAYLOAD, message
from tests.prometheus import alertmanager

from tocsin.app import App
from tocsin.errors import DeliveryError
from tocsin.notify import Message, Outside, sender
from tocsin.notify.alertmanager import alertmanager_alert
from tocsin.records import outbox
from tocsin.records.outbox import Receiver
from tocsin.service.deliver import Deliver
from tocsin.service.receivers import Receivers
from tocsin.values import MINUTE, SECOND

OUTSIDE = Outside(LOOPBACK)


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with alertmanager(tmp_path_factory.mktemp("alertmanager")) as address:
        yield address


def now() -> int:
    return int(time.time() * SECOND)


def there(url: str, name: str) -> list[dict[str, Any]]:
    found = httpx2.get(f"{url}/api/v2/alerts", params={"filter": f'alertname="{name}"'})
    return found.raise_for_status().json()


def of(name: str, **changes: Any) -> Message:
    return replace(message(alert=name, **changes), sent_at=now(), written_at=now())


def test_an_alert_is_there_with_its_labels_until_it_is_over(url: str) -> None:
    send = sender("alertmanager", {"url": url}, OUTSIDE)
    receipt = send(of("AucLow"))
    assert (receipt.again_after_s, receipt.until_s) == (60, None)
    (found,) = there(url, "AucLow")
    assert found["labels"] == {
        "alertname": "AucLow",
        "model": "flight-delay",
        "severity": "critical",
        "category": "performance",
        "team": "risk",
    }
    assert found["startsAt"].startswith("2013-07-14T10:00:00")
    assert found["generatorURL"] == PAYLOAD["url"]
    assert "ROC AUC 0.61 (0.58 to 0.64)" in found["annotations"]["description"]
    # Said again it is the same one.
    send(of("AucLow"))
    assert len(there(url, "AucLow")) == 1
    receipt = send(of("AucLow", event="resolved"))
    assert (receipt.again_after_s, receipt.until_s) == (60, 900)
    assert there(url, "AucLow") == []


def test_alerts_of_a_group_are_alerts_of_their_own(url: str) -> None:
    members = [{**PAYLOAD, "alert": "Grouped", "instance": f"f{i}"} for i in range(3)]
    sender("alertmanager", {"url": url}, OUTSIDE)(of("Grouped", alerts=members))
    assert sorted(found["labels"]["instance"] for found in there(url, "Grouped")) == [
        "f0",
        "f1",
        "f2",
    ]


def test_what_is_remarked_later_opens_nothing(url: str) -> None:
    sender("alertmanager", {"url": url}, OUTSIDE)(of("Revised", event="revised"))
    assert there(url, "Revised") == []


@pytest.mark.parametrize("label", ["0team", "te-am", "té", "a b"])
def test_a_label_that_it_would_not_take_is_named(url: str, label: str) -> None:
    told = {**PAYLOAD, "labels": {label: "x"}}
    with pytest.raises(DeliveryError, match=f"takes no label '{label}'") as refused:
        alertmanager_alert(told, message())
    assert refused.value.permanent
    # Which is what it answers itself.
    bad = [{"labels": {"alertname": "Bad", label: "x"}}]
    assert httpx2.post(f"{url}/api/v2/alerts", json=bad).status_code == 400


def test_a_test_of_the_receiver_is_taken(app: App, url: str) -> None:
    receivers = Receivers(app.records, OUTSIDE, now, "http://tocsin.test")
    receivers.put("am", {"alertmanager": {"url": url}})
    assert receivers.test("am") is None


def test_it_is_said_each_minute_while_it_fires_and_a_quarter_of_an_hour_when_it_is_over(
    app: App, url: str
) -> None:
    clock = [now()]
    with app.records.write() as connection:
        outbox.set_receiver(connection, Receiver("am", "alertmanager", {"url": url}))
    sending = Deliver(app.records, lambda: clock[0], OUTSIDE)

    def put(event: str) -> None:
        with app.records.write() as connection:
            told = {**PAYLOAD, "alert": "Standing", "event": event}
            outbox.put(
                connection, receiver="am", order_key="am/e", message_id=f"e.{event}",
                payload=told, now=clock[0],
            )  # fmt: skip

    def said(minutes: int) -> int:
        times = 0
        for _ in range(minutes):
            while sending.deliver():
                times += 1
            clock[0] += MINUTE
        return times

    put("fired")
    assert said(10) == 10
    assert app.read.status().outbox == {"standing": 1}
    # Else the first failure after a day would wait as if it were the thousandth.
    assert app.outgoing.listed()[0].attempts == 0
    put("resolved")
    # Once with what fires, which had been due at the same moment; the rest says that it is over.
    assert said(30) in (16, 17)
    assert app.read.status().outbox == {"delivered": 2}
