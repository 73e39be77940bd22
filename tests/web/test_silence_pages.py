"""The page of silences: what holds, the form with its preview, and its way from an incident."""

import html
import re

import pytest
from starlette.testclient import TestClient
from tests.service.alerts import Alarm, Clock
from tests.web.test_pages import outline, text_of
from tests.world import monitor_document, reference

from tocsin.api.server import application
from tocsin.service.clock import wall_clock

FORM = {"matchers": 'model="flights"', "duration": "2h", "author": "ann", "comment": "<b>deploy"}


@pytest.fixture
def alarm(app):
    app.register.add("flights", monitor_document(rules=[]), reference(300))
    return Alarm(app, Clock(wall_clock()))


@pytest.fixture
def client(alarm):
    return TestClient(application(alarm.app))


def test_an_empty_page_teaches_and_is_whole(client):
    page = client.get("/silences")
    assert page.status_code == 200
    parsed = outline(page.text)
    assert parsed.open == []
    assert parsed.handlers == []
    assert len(set(parsed.ids)) == len(parsed.ids)
    assert "No silence holds" in text_of(page.text)
    assert 'aria-current="page">Silences' in page.text


def test_an_alert_of_an_incident_is_silenced_by_two_clicks(client, alarm):
    alarm.fire("flights", "Low")
    incident = client.get("/incidents/1").text
    link = html.unescape(re.search(r'href="([^"]+)">silence this', incident)[1])
    filled = client.get(link).text
    assert 'value="model=&#34;flights&#34;, alert=&#34;Low&#34;"' in filled
    assert "Covers 1 alert that fires now" in text_of(filled)

    made = client.post("/silences", data=FORM)
    assert made.history[0].status_code == 303
    told = text_of(made.text)
    assert "Silence 1 holds." in told
    assert "active" in told
    assert "by ann · covers 1 alert that fires now" in told
    assert "&lt;b&gt;deploy" in made.text

    over = text_of(client.post("/silences/1/expire", data={"author": "bob"}).text)
    assert "Silence 1 is over." in over
    assert "No silence holds" in over
    (record,) = client.get("/api/v1/audit?event=silence.expired").json()
    assert record["actor"] == "bob"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"matchers": "flights"}, "write a label"),
        ({"matchers": 'model!="x"'}, "name at least one label"),
        ({"comment": " "}, "comment"),
        ({"author": ""}, "author"),
    ],
)
def test_a_faulty_form_says_what_to_write(client, changes, words):
    answer = client.post("/silences", data={**FORM, **changes})
    assert answer.status_code == 422
    assert words in text_of(answer.text)
    assert client.get("/api/v1/silences").json() == []


def test_a_faulty_preview_says_what_is_wrong_and_keeps_the_form(client):
    page = client.get("/silences", params={**FORM, "matchers": "model"})
    assert page.status_code == 200
    assert "write a label's name" in html.unescape(page.text)
    assert 'value="&lt;b&gt;deploy"' in page.text


def test_pages_of_others_may_not_silence(client):
    for path, data in (("/silences", FORM), ("/silences/1/expire", {"author": "x"})):
        assert (
            client.post(path, data=data, headers={"origin": "http://evil.test"}).status_code == 403
        )


def test_a_silence_that_is_not_there_is_no_page(client):
    assert client.post("/silences/7/expire", data={"author": "x"}).status_code == 404
