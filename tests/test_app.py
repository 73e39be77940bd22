"""What the application finds around it when it starts."""

import sys
from dataclasses import replace
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


def test_the_key_of_the_hashes_is_made_once_and_for_its_owner_alone(settings: Settings) -> None:
    with opened(settings):
        pass
    key = settings.data / "hash.key"
    made = key.read_bytes()
    assert (len(made), key.stat().st_mode & 0o777) == (32, 0o600)
    with opened(settings):
        assert key.read_bytes() == made


def test_a_key_that_is_not_whole_is_refused(settings: Settings) -> None:
    settings.data.mkdir(parents=True)
    (settings.data / "hash.key").write_bytes(b"")
    with pytest.raises(StartupError, match="has 0 bytes"), opened(settings):
        pass


def test_a_key_whose_making_was_cut_off_is_made_anew(settings: Settings) -> None:
    settings.data.mkdir(parents=True)
    (settings.data / "hash.part").write_bytes(b"half")
    with opened(settings):
        assert len((settings.data / "hash.key").read_bytes()) == 32


def test_settings_do_not_show_their_secrets(settings: Settings) -> None:
    secretive = replace(
        settings, hash_key=b"hidden-1", lake_options={"AWS_SECRET_ACCESS_KEY": "hidden-2"}
    )
    assert "hidden" not in repr(secretive)
