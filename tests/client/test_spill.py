"""The queue on disk, without a thread: files, locks and their books."""

import gzip
import os
import random
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.client._body import COMPRESSED_FROM_BYTES, Body, compressed
from tocsin.client._spill import Spill, SpillFullError
from tocsin.client._spill_file import CorruptSpillError, body_in, file_content, write

BODY = Body("predictions", 2, b"[1,2]")


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Callable[..., Spill]]:
    """Opens the queue of the model `late` once more, as another process would."""
    spills: list[Spill] = []

    def open_spill(max_bytes: int = 10**6, model: str = "late") -> Spill:
        spills.append(Spill(tmp_path / "spill", model, max_bytes))
        return spills[-1]

    yield open_spill
    for spill in spills:
        spill.release()


def put(spill: Spill, *numbers: int) -> None:
    for number in numbers:
        spill.add(spill.write(Body("predictions", 1, b"[%d]" % number), number))


def drained(spill: Spill) -> list[bytes]:
    contents: list[bytes] = []
    while (file := spill.oldest()) is not None:
        contents.append(body_in(file.path).content)
        spill.remove(file)
    return contents


def left(folder: Path) -> list[str]:
    return [str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("spill") / "000000000001-predictions-2.rows"


@given(
    content=st.binary(),
    kind=st.sampled_from(["predictions", "outcomes"]),
    rows=st.integers(1, 10**6),
)
def test_a_body_is_read_as_it_was_written(path: Path, content: bytes, kind: Any, rows: int) -> None:
    for encoding in ("identity", "gzip"):
        body = Body(kind, rows, content, encoding)
        write(path, file_content(body))
        assert body_in(path) == body


@given(data=st.data())
def test_a_file_that_was_torn_or_changed_is_known_by_it(path: Path, data: st.DataObject) -> None:
    write(path, file_content(BODY))
    whole = path.read_bytes()
    at = data.draw(st.integers(0, len(whole) - 1))
    changed = bytes([whole[at] ^ data.draw(st.integers(1, 255))])
    torn = whole[:at] + data.draw(st.sampled_from([b"", changed + whole[at + 1 :]]))
    path.write_bytes(torn)
    with pytest.raises(CorruptSpillError):
        body_in(path)


def test_files_come_back_in_the_order_of_writing(opened: Any, tmp_path: Path) -> None:
    spill = opened()
    put(spill, *range(12))
    assert drained(spill) == [b"[%d]" % number for number in range(12)]
    spill.release()
    assert left(tmp_path / "spill") == []


def test_the_folder_of_a_live_client_is_not_taken(opened: Any) -> None:
    alive, other = opened(), opened()
    put(alive, 1)
    assert other.orphaned()
    assert other.adopt() == 0
    assert other.oldest() is None


def test_what_a_dead_client_left_is_taken_by_one_other_and_sent_first(
    opened: Any, tmp_path: Path
) -> None:
    first, second = opened(), opened()
    put(first, 1, 2)
    put(second, 3)
    first.release()
    second.release()
    heir, late = opened(), opened()
    put(heir, 4)
    assert (heir.adopt(), late.adopt()) == (3, 0)
    assert drained(heir) == [b"[1]", b"[2]", b"[3]", b"[4]"]
    heir.release()
    assert left(tmp_path / "spill") == []
    assert not late.orphaned()


def test_what_an_heir_does_not_send_is_left_to_the_next(opened: Any) -> None:
    first, heir, last = opened(), opened(), opened()
    put(first, 1, 2)
    first.release()
    heir.adopt()
    file = heir.oldest()
    heir.remove(file)
    heir.release()
    assert last.adopt() == 1
    assert drained(last) == [b"[2]"]


def test_models_do_not_share_their_files(opened: Any) -> None:
    one, other = opened(model="a/../b"), opened(model="c")
    put(one, 1)
    one.release()
    assert other.adopt() == 0
    assert opened(model="a/../b").adopt() == 1


def test_the_limit_is_of_the_whole_folder(opened: Any) -> None:
    one, other = opened(), opened(max_bytes=105)
    put(one, 1)
    put(other, 2)
    with pytest.raises(SpillFullError, match="max_spill_bytes 105"):
        put(other, 3)
    assert drained(one) == [b"[1]"]
    put(other, 3)
    assert drained(other) == [b"[2]", b"[3]"]


def test_a_file_set_aside_is_not_seen_again(opened: Any, tmp_path: Path) -> None:
    spill = opened()
    put(spill, 1, 2)
    spill.set_aside(spill.oldest())
    assert drained(spill) == [b"[2]"]
    spill.release()
    assert opened().adopt() == 0
    (name,) = left(tmp_path / "spill")
    assert name.startswith("late/corrupt/")
    assert (tmp_path / "spill" / "late" / "corrupt").stat().st_mode & 0o077 == 0


def test_the_unfinished_file_of_a_killed_client_is_removed(opened: Any, tmp_path: Path) -> None:
    spill = opened()
    put(spill, 1)
    (tmp_path / "spill").joinpath(spill.oldest().path.with_suffix(".tmp")).write_bytes(b"half")
    spill.release()
    heir = opened()
    assert heir.adopt() == 1
    assert drained(heir) == [b"[1]"]
    assert left(tmp_path / "spill") == []


def test_a_folder_that_was_removed_is_made_again(opened: Any) -> None:
    spill = opened()
    put(spill, 1)
    file = spill.oldest()
    file.path.unlink()
    (file.path.parent / "lock").unlink()
    file.path.parent.rmdir()
    with pytest.raises(FileNotFoundError):
        put(spill, 2)
    put(spill, 3)


@given(st.integers(0, 3 * COMPRESSED_FROM_BYTES), st.booleans())
def test_a_body_is_packed_only_if_that_pays_and_always_alike(size: int, noise: bool) -> None:
    content = random.Random(size).randbytes(size) if noise else b"7" * size
    body = Body("outcomes", 1, content)
    packed = compressed(body)
    assert compressed(body) == packed
    if packed.encoding == "gzip":
        assert gzip.decompress(packed.content) == content
        assert packed.headers["Content-Encoding"] == "gzip"
        assert len(packed.content) <= 0.9 * size
    else:
        assert packed == body
        assert "Content-Encoding" not in packed.headers
        assert noise or size < COMPRESSED_FROM_BYTES


def test_the_folder_is_not_walked_for_each_file(
    opened: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    spill, walks = opened(max_bytes=10**6), []
    real = os.walk
    monkeypatch.setattr(os, "walk", lambda folder: walks.append(folder) or real(folder))
    for number in range(300):
        put(spill, number)
    assert len(walks) == 1
    assert len(drained(spill)) == 300


def test_what_another_client_removed_is_room_again(opened: Any) -> None:
    size = len(file_content(Body("predictions", 1, b"[1]")))
    ours, theirs = opened(max_bytes=4 * size), opened(max_bytes=4 * size)
    put(theirs, 1, 1)
    put(ours, 1, 1)
    with pytest.raises(SpillFullError):
        ours.write(Body("predictions", 1, b"[1]"), 1)
    drained(theirs)
    put(ours, 1)


def test_clients_that_fill_a_folder_together_exceed_it_by_a_little(opened: Any) -> None:
    size = len(file_content(Body("predictions", 1, b"[1]")))
    most = 160 * size
    clients = [opened(max_bytes=most) for _ in range(4)]
    written = 0
    for _ in range(200):
        for client in clients:
            with suppress(SpillFullError):
                put(client, 1)
                written += size
    assert most <= written <= most * (1 + len(clients) / 16)
