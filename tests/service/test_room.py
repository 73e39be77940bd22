"""Room is looked for on every disk that rows go to."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tests.world import Feed, monitor_document, prediction, reference

from tocsin.app import App, opened
from tocsin.errors import UnavailableError
from tocsin.service.fold import Fold
from tocsin.service.room import free_bytes
from tocsin.settings import Settings


def test_a_lake_on_a_full_disk_of_its_own_takes_no_rows(settings: Settings, tmp_path: Path) -> None:
    place = tmp_path / "other disk" / "lake"
    with opened(replace(settings, lake=str(place))) as app:
        app.room.check()
        app.room._free = lambda folder: 0 if folder == place else 2**40
        app.room._looked = None
        with pytest.raises(UnavailableError, match=r"the disk of .*other disk.lake has 0 MB left"):
            app.room.check()


def test_a_lake_in_a_store_has_no_disk_here(settings: Settings) -> None:
    with opened(replace(settings, lake="s3://bucket/lake")) as app:
        app.room._free = lambda folder: 2**40 if folder == settings.data else 0
        app.room.check()


def test_the_room_of_a_folder_that_is_not_there_yet_is_that_of_its_disk(tmp_path: Path) -> None:
    assert free_bytes(tmp_path / "not" / "yet") > 0


def filled(app: App, model: str, enough: Callable[[int], bool] = lambda _: False) -> str:
    """Send rows of a model until they are refused, or are enough; why they are."""
    for number in range(200):
        if enough(number):
            return ""
        app.room._looked = None
        try:
            Feed(app, model).predictions(*(prediction(f"{number}-{i}") for i in range(200)))
        except UnavailableError as error:
            return str(error)
    raise AssertionError("they were never refused")


def test_a_model_that_cannot_be_folded_does_not_end_the_others(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: object) -> int:
        raise OSError("its disk is gone")

    with opened(replace(settings, inbox_bytes=2**20)) as app:
        for name in ("late", "other"):
            app.register.add(name, monitor_document(), reference(400))
        refused = filled(app, "late")
        assert "1 MB wait in the inbox to be folded, 1 MB of them of model 'late', and" in refused
        assert app.room.lack() is not None

        monkeypatch.setattr(Fold, "fold", failing)
        with pytest.raises(ExceptionGroup):
            app.worker.work()
        whose = "of model 'late', whose fold fails: OSError: its disk is gone, and its limit"
        assert whose in filled(app, "late")
        assert filled(app, "other", enough=lambda sent: sent == 10) == ""
        # But not without an end.
        assert whose in filled(app, "other")

        monkeypatch.undo()
        app.worker.work()
        assert app.room.lack() is None


def test_an_inbox_that_is_filled_by_many_is_full_for_all(settings: Settings) -> None:
    names = ("a", "b", "c")
    with opened(replace(settings, inbox_bytes=100_000)) as app:
        for name in names:
            app.register.add(name, monitor_document(), reference(400))
        turns = 0
        while app.room.lack() is None:
            filled(app, names[turns % 3], enough=lambda sent: sent == 1)
            turns += 1
        assert turns > 3
        for name in names:
            assert "wait in the inbox" in filled(app, name)
