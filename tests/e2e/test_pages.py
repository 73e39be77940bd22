import json
import re
from datetime import UTC, datetime

import httpx2
import pytest
from playwright.sync_api import expect
from tests.world import START, Feed, monitor_document, reference

PHONE = {"viewport": {"width": 360, "height": 740}}
CHART = "figure[data-chart] canvas"


def drawn(page):
    """Waits until every chart of the page has pixels that are not empty."""
    page.wait_for_function(
        """() => {
            const figures = [...document.querySelectorAll("figure[data-chart]")];
            return figures.length && figures.every((figure) => {
                const canvas = figure.querySelector("canvas");
                if (!canvas || canvas.width < 100 || canvas.height < 50) return false;
                const pixels = canvas.getContext("2d")
                    .getImageData(0, 0, canvas.width, canvas.height).data;
                return pixels.some((value) => value > 0);
            });
        }"""
    )


def sent(server, model, path, records):
    answer = httpx2.post(
        f"{server[0]}/api/v1/models/{model}/{path}", content=json.dumps(records).encode()
    )
    assert answer.status_code == 202


def predictions(hour, count=80):
    at = datetime.fromtimestamp(START.timestamp() + 3600 * hour, UTC)
    return [
        {
            "prediction_id": f"live-{hour}-{i}",
            "timestamp": at.isoformat(),
            "inputs": {"distance": 1000.0 + i, "carrier": "AA"},
            "outputs": {"p": 0.5},
        }
        for i in range(count)
    ]


def test_from_the_overview_to_the_cause_by_clicking(visit):
    page = visit("/")
    expect(page.get_by_role("heading", level=1)).to_contain_text("needs attention")
    page.get_by_role("link", name="late", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("late")
    drawn(page)
    page.get_by_role("link", name="distance has drifted over 1h").first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("distance has drifted over 1h")
    expect(page.get_by_text("still firing")).to_be_visible()
    drawn(page)
    page.get_by_role("link", name="distance now").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("distance")
    drawn(page)


def test_the_keyboard_is_enough(visit):
    page = visit("/models/late")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to content"
    page.get_by_role("link", name="7\u00a0days").first.focus()
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("window=7d"))


def test_a_chart_says_its_numbers_to_the_pointer(visit):
    page = visit("/models/late")
    drawn(page)
    canvas = page.locator("#chart-metric canvas")
    canvas.hover(position={"x": 400, "y": 150})
    box = canvas.bounding_box()
    for x in range(300, 700, 7):
        page.mouse.move(box["x"] + x, box["y"] + 100)
    page.locator("#chart-drift canvas").hover(position={"x": 500, "y": 80})
    expect(page.locator("#vg-tooltip-element")).to_contain_text("Distance")


def test_charts_follow_the_colour_scheme(visit):
    page = visit("/models/late", color_scheme="light")
    drawn(page)
    light = page.evaluate(f"document.querySelector('{CHART}').toDataURL()")
    page.emulate_media(color_scheme="dark")
    page.wait_for_function(
        f"before => document.querySelector('{CHART}')?.toDataURL() !== before", arg=light
    )
    drawn(page)


def test_new_rows_arrive_on_the_page_without_a_reload(visit, server):
    page = visit("/models/late")
    drawn(page)
    expect(page.locator("#live")).to_have_attribute("data-state", "live")
    page.evaluate("window.notReloaded = true")
    page.get_by_text("Numbers of the chart").click()
    count = page.locator("dt:text-is('Predictions') + dd")
    expect(count).to_have_text("17,280")
    hour = 24 * 9 + 1
    sent(server, "late", "predictions", predictions(hour))
    expect(count).to_have_text("17,360", timeout=15_000)
    outcomes = [{"prediction_id": f"live-{hour}-{i}", "actual_outcome": i % 2} for i in range(80)]
    sent(server, "late", "outcomes", outcomes)
    expect(page.locator("dt:text-is('Outcomes') + dd")).to_have_text("17,360", timeout=15_000)
    assert page.evaluate("window.notReloaded")
    assert page.locator("details").first.evaluate("details => details.open")
    drawn(page)


def test_the_overview_shows_a_model_as_soon_as_it_is_there(visit, server):
    page = visit("/")
    _, app = server
    expect(page.locator("#live")).to_have_attribute("data-state", "live")
    app.register.add("newcomer", monitor_document(), reference(500))
    expect(page.get_by_role("link", name="newcomer")).to_be_visible(timeout=15_000)
    Feed(app, "newcomer").hours(0, 26, rows=30)
    app.worker.wake()
    row = page.get_by_role("row", name="newcomer")
    expect(row).to_contain_text("ROC AUC", timeout=15_000)


def test_a_lost_connection_is_said(visit):
    page = visit("/incidents", blocked="**/api/v1/events")
    live = page.locator("#live")
    expect(live).to_have_text("reconnecting")
    page.unroute("**/api/v1/events")
    expect(live).to_have_text("live", timeout=15_000)


@pytest.mark.parametrize(
    "path",
    ["/", "/models/late", "/models/late/features/distance", "/incidents", "/incidents/1"],
)
def test_a_phone_never_scrolls_sideways(visit, path):
    page = visit(path, **PHONE)
    if page.locator("figure[data-chart]").count():
        drawn(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_pages_can_be_read_without_javascript(visit):
    page = visit("/models/late", java_script_enabled=False)
    expect(page.get_by_role("heading", level=1)).to_have_text("late")
    expect(page.get_by_role("table").first).to_contain_text("Accuracy")
    expect(page.locator("noscript p").first).to_be_visible()


def test_times_are_in_the_zone_of_the_viewer(visit):
    page = visit("/incidents", timezone_id="Asia/Tokyo", locale="en-GB")
    expect(page.locator("#zone")).to_have_text("Asia/Tokyo")
    time = page.locator("time").first
    stamp = time.get_attribute("datetime")
    hour = (datetime.fromisoformat(stamp).hour + 9) % 24
    expect(time).to_contain_text(f"{hour:02}:00")
    expect(time).to_have_attribute("title", stamp[:16].replace("T", " ") + " UTC")


QUALITY = {"alert": "DataQuality", "expr": {"metric": "quality", "window": "1h"}}


def hour_of(server, hour, *, nulls):
    """An hour of rows, `nulls` of them without a distance, and a row of the next one."""
    rows = predictions(hour)
    for i, row in enumerate(rows):
        row["inputs"]["distance"] = None if i < nulls else 1000.0 + 5 * (i - 40)
        row["inputs"]["carrier"] = ("AA", "AA", "B6", "UA")[i % 4]
        row["outputs"]["p"] = (0.2, 0.4, 0.6)[i % 3]
    later = predictions(hour + 1.5, count=1)
    sent(server, "acts", "predictions", [*rows, *later])


def test_two_people_see_each_other_take_silence_and_discuss_an_alert(visit, server):
    _, app = server
    app.register.add("acts", monitor_document(windows=["1h"], rules=[QUALITY]), reference())
    hour_of(server, 0, nulls=0)
    bo = visit("/incidents")
    expect(bo.locator("#live")).to_have_attribute("data-state", "live")
    hour_of(server, 2, nulls=60)
    # It fires, and is there without a reload.
    bo.get_by_role("link", name=re.compile("Nulls of distance")).click(timeout=60_000)
    expect(bo.get_by_text("Nobody has acknowledged it")).to_be_visible()
    expect(bo.locator("#live")).to_have_attribute("data-state", "live")
    bo.evaluate("window.notReloaded = true")

    ann = visit(re.sub(r"^https?://[^/]+", "", bo.url))
    ann.get_by_label("Your name").first.fill("ann")
    ann.get_by_label("Words for the timeline").fill("the feed again")
    ann.get_by_role("button", name="Acknowledge").click()
    expect(ann.get_by_text("ann works on it")).to_be_visible()
    expect(bo.get_by_text("ann works on it")).to_be_visible()
    expect(bo.get_by_text("Acknowledged: the feed again")).to_be_visible()

    # Her name is known by now.
    expect(ann.get_by_label("Your name").first).to_have_value("ann")
    expect(ann.locator("#live")).to_have_attribute("data-state", "live")
    ann.evaluate("window.notReloaded = true")
    bo.get_by_label("Your name").first.fill("bo")
    bo.get_by_label("Words for the timeline").fill("they restart it at ten")
    bo.get_by_role("button", name="Comment").click()
    expect(ann.get_by_text("they restart it at ten")).to_be_visible()

    bo.get_by_role("link", name="silence this").first.click()
    expect(bo.get_by_role("heading", level=1)).to_contain_text("Silences")
    bo.get_by_label("Comment: why").fill("until they restarted it")
    form = bo.locator("form[action='/silences']")
    form.get_by_label("Your name").fill("bo")
    form.get_by_role("button", name="Silence", exact=True).click()
    expect(bo.get_by_text("until they restarted it").first).to_be_visible()
    bo.go_back()

    hour_of(server, 4, nulls=0)
    hour_of(server, 6, nulls=0)
    expect(ann.get_by_text("All alerts of this incident are over.")).to_be_visible()
    assert ann.evaluate("window.notReloaded")
