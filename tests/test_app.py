"""What the application finds around it when it starts."""

import sys
from pathlib import Path

import pytest

from tocsin.app import opened
from tocsin.errors import StartupError
from tocsin.metrics import registered
from tocsin.settings import Settings

GOOD = """
from tocsin.metrics import METRICS, Metric

ours = Metric("ours_from_a_package", "Ours", METRICS["coverage"].measure, None)
number = 3
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of installed packages."""
    folder = tmp_path / "packages"
    (folder / "ours-1.0.dist-info").mkdir(parents=True)
    (folder / "ours-1.0.dist-info" / "METADATA").write_text("Name: ours\nVersion: 1.0\n")
    (folder / "our_package.py").write_text(GOOD)
    monkeypatch.syspath_prepend(str(folder))
    yield folder
    sys.modules.pop("our_package", None)


def bring(package: Path, what: str) -> None:
    text = f"[tocsin.metrics]\nours = {what}\n"
    (package / "ours-1.0.dist-info" / "entry_points.txt").write_text(text)


def test_a_metric_of_an_installed_package_is_registered(package: Path, settings: Settings) -> None:
    bring(package, "our_package:ours")
    with opened(settings):
        assert registered("ours_from_a_package").title == "Ours"


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("our_package:number", "our_package:number is no tocsin.metrics.Metric"),
        ("our_package:nothing", "nothing"),
        ("no_package:ours", "No module named 'no_package'"),
    ],
)
def test_a_package_whose_metric_cannot_be_used_is_named(
    package: Path, settings: Settings, what: str, message: str
) -> None:
    bring(package, what)
    with pytest.raises(StartupError, match=message), opened(settings):
        pass
