"""Pages over real data: a model with an incident, one that waits for labels, one without data."""

import pytest
from starlette.testclient import TestClient
from tests.world import Feed, monitor_document, reference

from tocsin.api.server import application
from tocsin.app import opened
from tocsin.settings import Settings


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    settings = Settings(
        data=tmp_path_factory.mktemp("data"),
        host="127.0.0.1",
        port=8765,
        url="http://tocsin.test",
        tracking_uri=None,
    )
    with opened(settings) as app:
        app.register.add("late", monitor_document(), reference(), ("The positive class is `1`.",))
        feed = Feed(app, "late")
        feed.hours(0, 24 * 9 - 3)
        feed.hours(24 * 9 - 3, 24 * 9, distance_factor=1.6)
        app.register.add("unlabelled", monitor_document(), reference(500))
        Feed(app, "unlabelled").hours(0, 26, rows=20, labelled=False)
        app.register.add("silent", monitor_document(), reference(500))
        feed.work()
        yield app


@pytest.fixture(scope="module")
def client(world):
    # Not entered, so that the worker's threads stay away.
    return TestClient(application(world), raise_server_exceptions=False)
