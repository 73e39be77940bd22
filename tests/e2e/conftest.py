"""A real server with a worker, and a real browser."""

import socket
import threading
import time

import pytest
import uvicorn
from playwright.sync_api import sync_playwright
from tests.world import Feed, monitor_document, reference

from tocsin.api.server import application
from tocsin.app import opened
from tocsin.settings import Settings

ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """(address, application) of a server whose model `late` has an open incident."""
    listening = socket.create_server(("127.0.0.1", 0))
    port = listening.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    settings = Settings(tmp_path_factory.mktemp("data"), "127.0.0.1", port, address, None)
    with opened(settings) as app:
        app.register.add("late", monitor_document(), reference())
        feed = Feed(app, "late")
        feed.hours(0, 24 * 9 - 3)
        feed.hours(24 * 9 - 3, 24 * 9, distance_factor=1.6)
        feed.work()
        running = uvicorn.Server(
            uvicorn.Config(application(app), log_level="warning", timeout_graceful_shutdown=1)
        )
        thread = threading.Thread(target=running.run, kwargs={"sockets": [listening]})
        thread.start()
        while not running.started:
            time.sleep(0.02)
        yield address, app
        running.should_exit = True
        thread.join()
    listening.close()


@pytest.fixture(scope="module")
def chromium():
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=list(ARGUMENTS)
        )
        yield browser
        browser.close()


@pytest.fixture
def visit(server, chromium):
    """Opens pages that must neither complain nor ask another origin for anything."""
    address, _ = server
    complaints, contexts = [], []

    def visit(path, *, blocked=None, **options):
        context = chromium.new_context(**options)
        contexts.append(context)
        page = context.new_page()
        # Two busy cores: what takes a second alone may take twenty beside a build.
        page.set_default_timeout(60_000)
        if blocked:
            page.route(blocked, lambda route: route.abort())
        page.on(
            "console",
            lambda message: (
                (blocked and "ERR_FAILED" in message.text) or complaints.append(message.text)
            ),
        )
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on(
            "request",
            lambda request: (
                request.url.startswith((address, "data:", "blob:"))
                or complaints.append(f"asked for {request.url}")
            ),
        )
        page.goto(address + path)
        return page

    yield visit
    for context in contexts:
        context.close()
    assert complaints == []
