"""What many tests need: a small model, its reference, and an application on a folder of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.world import Feed, monitor_document, reference
from tocsin.app import App, opened
from tocsin.settings import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(
        data=tmp_path / "data",
        host="127.0.0.1",
        port=8765,
        url="http://tocsin.test",
        tracking_uri=None,
    )


@pytest.fixture
def app(settings: Settings) -> Iterator[App]:
    with opened(settings) as application:
        yield application


@pytest.fixture
def feed(app: App) -> Feed:
    """The monitored model `late`, and its feed."""
    app.register.add("late", monitor_document(), reference())
    return Feed(app, "late")
