import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from starlette.testclient import TestClient
from tests.world import Feed, monitor_document, reference

from tocsin.api.server import application
from tocsin.drift import STATISTICS
from tocsin.service.views import Condition
from tocsin.web.model_words import healthy_words

VOID = {"meta", "link", "br", "img", "input", "path", "circle", "line", "rect"}
PAGES = (
    "/",
    "/models/late",
    "/models/late?window=1h&metric=accuracy_score&span=14d",
    "/models/late?window=7d&metric=coverage",
    "/models/unlabelled",
    "/models/silent",
    "/models/late/features/distance",
    "/models/late/features/carrier?window=24h",
    "/models/silent/features/distance",
    "/incidents",
    "/incidents/1",
    "/models/nobody",
)


class Outline(HTMLParser):
    """Landmarks, headings, ids and unclosed elements of a page."""

    def __init__(self):
        super().__init__()
        self.open, self.seen, self.ids, self.handlers = [], [], [], []

    def handle_starttag(self, tag, attrs):
        self.seen.append(tag)
        self.ids += [value for name, value in attrs if name == "id"]
        self.handlers += [name for name, _ in attrs if name.startswith("on") or name == "style"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, _):
        self.seen.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def outline(text):
    parsed = Outline()
    parsed.feed(text)
    return parsed


def text_of(html):
    html = re.sub(r"<script.*?</script>", "", html, flags=re.S)
    plain = re.sub(r"<[^>]+>", " ", html).replace("&lt;", "<").replace("&#39;", "'")
    return re.sub(r"\s+", " ", plain).strip()


@pytest.mark.parametrize("address", PAGES)
def test_every_page_is_well_formed_and_has_landmarks(client, address):
    answer = client.get(address)
    page = outline(answer.text)
    assert page.open == []
    assert page.seen.count("h1") == 1
    assert {"header", "nav", "main", "footer"} <= set(page.seen)
    assert len(page.ids) == len(set(page.ids))
    assert page.handlers == []


@pytest.mark.parametrize("address", PAGES)
def test_no_page_shows_a_number_that_is_none(client, address):
    words = text_of(client.get(address).text)
    assert not re.search(r"\b(nan|NaN|None|inf|Undefined)\b", words)


@pytest.mark.parametrize("address", PAGES)
def test_nothing_on_a_page_comes_from_elsewhere(client, address):
    answer = client.get(address)
    policy = answer.headers["content-security-policy"]
    assert "http" not in policy
    assert "unsafe" not in policy
    assert re.findall(r'(?:src|href)="(?:https?:)?//', answer.text) == []


def test_the_overview_puts_the_worst_first_and_says_so(client):
    text = client.get("/").text
    assert "1 of 3 models needs attention" in text
    names = re.findall(r'<a href="/models/([^"]+)">', text)
    assert names[0] == "late"
    assert set(names) == {"late", "silent", "unlabelled"}
    assert '<svg class="spark"' in text


def test_the_first_page_without_models_teaches(app):
    words = text_of(TestClient(application(app)).get("/").text)
    assert "No model is watched yet" in words
    assert "tocsin watch models:/" in words
    assert "http://tocsin.test/api/v1/models/flight-delay/predictions" in words


def test_healthy_says_what_it_rests_on(world):
    detail = world.read.model("silent")
    assert healthy_words(detail) == ""
    well = replace(detail, overview=replace(detail.overview, condition=Condition.HEALTHY))
    assert healthy_words(well) == "its 2 rules are silent, and no threshold is ahead"
    bare = replace(well, monitor=replace(well.monitor, rules=()))
    assert healthy_words(bare) == "no rule watches it"


def test_a_model_begins_with_a_sentence(client):
    words = text_of(client.get("/models/late").text).replace("\xa0", " ")
    assert re.search(
        r"ROC AUC 0\.\d{3} ± 0\.\d+ over 24 h, 0\.\d+ (over|under) its reference; 100 % labelled",
        words,
    )


def test_a_number_that_does_not_exist_has_its_reason(client):
    words = text_of(client.get("/models/unlabelled").text)
    assert (
        "ROC AUC over 24 h has no value: no outcomes yet; 0 % labelled, provisional."
        in words.replace("\xa0", " ")
    )


def test_a_model_shows_rules_counts_and_what_was_assumed(client):
    words = text_of(client.get("/models/late").text)
    assert "FeatureDrift warning any feature has drifted" in words
    assert "Predictions 17,280" in words
    assert "What was assumed The positive class is 1 ." in words


def test_the_window_and_the_metric_are_in_the_address(client):
    text = client.get("/models/late?window=1h&metric=log_loss").text
    assert re.search(r'metric=log_loss"[^>]* aria-current="true">1\xa0h</a>', text)
    assert re.search(r'<tr aria-current="true">\s*<th scope="row"><a[^>]*>Log loss</a>', text)


@pytest.mark.parametrize(
    "address", ["/models/late?window=5h", "/models/late?window=x", "/models/late?metric=nope"]
)
def test_an_address_that_cannot_be_read_says_what_to_do(client, address):
    answer = client.get(address)
    assert answer.status_code == 422
    assert "This address cannot be read" in answer.text


@pytest.mark.parametrize(
    "address",
    [
        "/models/nobody",
        "/models/late/features/nothing",
        "/incidents/99",
        "/nowhere",
        "/incidents/x",
    ],
)
def test_what_does_not_exist_is_a_page_too(client, address):
    answer = client.get(address)
    assert answer.status_code == 404
    assert answer.headers["content-type"].startswith("text/html")
    assert "There is nothing here" in answer.text


def test_the_api_still_answers_in_json(client):
    answer = client.get("/api/v1/nowhere")
    assert answer.status_code == 404
    assert answer.json()["error"]["type"] == "NotFound"


def test_a_drifted_feature_says_why(client):
    words = text_of(client.get("/models/late/features/distance").text)
    assert re.search(r"drift window until .* JS distance 0\.\d+, at most 0\.\d+", words)
    assert re.search(r"Now and in the reference [\d.]+% of the rows .*; in the reference", words)


def test_a_feature_is_compared_with_both_references_by_every_statistic(client):
    words = text_of(client.get("/models/late/features/distance").text)
    assert re.search(r"Against the frozen reference [\d,]+ rows · decides", words)
    assert "Against the trailing reference" in words
    for each in STATISTICS.values():
        assert words.count(each.title) >= 2
    assert "categories have no order" in text_of(client.get("/models/late/features/carrier").text)


def test_all_features_together_are_compared_when_somebody_asks(client):
    unasked = text_of(client.get("/models/late?window=24h").text)
    assert "Compare the newest window" in unasked
    asked = text_of(client.get("/models/late?window=24h&together=true").text)
    assert re.search(r"AUC 0\.\d+ \(0\.\d+ to [\d.]+\), where 0.5 tells nothing", asked)
    assert "Estimates before labels, by both methods" in asked
    # Then it is known, whoever looks.
    assert "AUC lost when it is shuffled" in text_of(client.get("/models/late?window=24h").text)
    nothing = text_of(client.get("/models/silent?together=true").text)
    assert "has closed yet" in nothing


def test_an_incident_begins_with_its_first_cause(client):
    text = client.get("/incidents/1").text
    assert re.search(r'<p class="lede"><code>distance</code> (is outside|has moved)', text)
    assert 'id="chart-evidence"' in text
    words = text_of(text)
    assert "FeatureDrift distance" in words
    assert "still firing" in words
    # The window of the alert that it is from, and why that alert fired.
    assert re.search(r"Found for FeatureDrift of distance in the 1 ?h\w* until ", words), words[
        :900
    ]
    assert re.search(r'<td class="quiet wide">[^<]+<div class="cause-line"><code>distance', text)


def test_times_are_in_utc_and_name_the_year_when_it_is_another(client):
    text = client.get("/incidents/1").text
    found = re.search(r'<time datetime="(2013-[^"]+Z)" title="(2013-[^"]+) UTC">([^<]+)<', text)
    assert "2013" in found[3]
    assert found[3].endswith("UTC")


def test_a_live_section_can_be_had_alone(client):
    whole = client.get("/models/late").text
    part = client.get("/models/late?fragment=live_drift,live_data").text
    assert re.findall(r'<template data-fragment="(\w+)">', part) == ["live_drift", "live_data"]
    assert "<html" not in part
    drift = re.search(r'<template data-fragment="live_drift">(.*?)</template>', part, re.S)[1]
    assert drift.strip() in whole


@pytest.mark.parametrize("fragment", ["main", "live_nothing", "live_drift,title", ""])
def test_only_live_sections_are_fragments(client, fragment):
    assert client.get("/models/late", params={"fragment": fragment}).status_code == 404


def test_every_live_section_of_a_page_can_be_had_alone(client):
    for address in PAGES[:11]:
        text = client.get(address).text
        for name in re.findall(r'data-live="(\w+)"', text):
            answer = client.get(address, params={"fragment": name})
            assert f'data-fragment="{name}"' in answer.text


def test_hostile_names_are_only_text(app):
    name = '<img src=x onerror="alert(1)">'
    feature = '</script><b id="x">&{{7*7}}'
    document = monitor_document()
    document["schema"]["features"] = [
        {"name": feature, "kind": "numeric"},
        {"name": "carrier", "kind": "categorical"},
    ]
    rows = reference(600).rename_columns([feature, "carrier", "p", "late"])
    carriers = rows["carrier"].to_pylist()
    rows = rows.set_column(1, "carrier", [[f"<i>{level}</i>" for level in carriers]])
    app.register.add(name, document, rows, ("<u>note</u>",))
    feed = Feed(app, name)
    feed.predictions(
        *(
            {
                "prediction_id": f"{i}",
                "timestamp": f"2013-05-01T0{i % 4}:10:00Z",
                "inputs": {feature: 1000.0 + i, "carrier": "<i>AA</i>"},
                "outputs": {"p": 0.5},
            }
            for i in range(90)
        )
    )
    feed.work()
    client = TestClient(application(app))
    base = "/models/%3Cimg%20src%3Dx%20onerror%3D%22alert(1)%22%3E"
    inside = "%3C%2Fscript%3E%3Cb%20id%3D%22x%22%3E%26%7B%7B7*7%7D%7D"
    for address in ("/", base, f"{base}/features/{inside}", f"{base}/features/carrier", "/<i>"):
        answer = client.get(address)
        assert answer.status_code == (404 if address == "/<i>" else 200)
        page = outline(answer.text)
        assert not {"img", "b", "i", "u"} & set(page.seen)
        assert page.open == []
        assert "{{" not in answer.text or feature.partition("&")[2] in answer.text


def test_files_are_cached_for_ever_and_compressed(client):
    text = client.get("/models/late").text
    for address in re.findall(r'"(/static/[^"]+)"', text):
        answer = client.get(address, headers={"accept-encoding": "gzip"})
        assert answer.status_code == 200
        assert "immutable" in answer.headers["cache-control"]
        assert answer.headers["content-encoding"] == "gzip"


def test_a_file_of_another_version_is_not_served(client):
    assert client.get("/static/000000000000/tocsin.css").status_code == 404
    assert client.get("/static/000000000000/passwd").status_code == 404


def test_charts_are_loaded_only_where_there_are_charts(client):
    assert 'defer src="/static/' not in client.get("/incidents").text
    assert 'defer src="/static/' in client.get("/models/late").text


def test_an_unforeseen_failure_is_a_page_without_its_details(client, world, monkeypatch):
    def broken():
        raise RuntimeError("secret")

    monkeypatch.setattr(world.read, "overviews", broken)
    answer = client.get("/")
    assert answer.status_code == 500
    assert "This page could not be made" in answer.text
    assert "secret" not in answer.text
