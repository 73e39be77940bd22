"""Room is looked for on every disk that rows go to."""

from dataclasses import replace
from pathlib import Path

import pytest

from tocsin.app import opened
from tocsin.errors import UnavailableError
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
