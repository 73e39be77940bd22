"""kill -9 of the server at random moments under load: what was acknowledged counts, once."""

import random
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from tests.e2e.senders import Clients
from tests.servers import Server
from tests.world import Feed, monitor_document, reference

from tocsin.app import opened
from tocsin.profiles import CategoryBins, Plan, ProfileKey
from tocsin.profiles.layout import DELAY_EDGES
from tocsin.records import models
from tocsin.settings import Settings

Sums = dict[tuple[str, int, str], float]


def told_and_done(logs: list[list[Any]]) -> pd.DataFrame:
    """The predictions that count, with the labels that count, by what the words mean."""
    acknowledged = pd.DataFrame(
        [
            (what, whose, when, said, order)
            for log in logs
            for order, (what, whose, when, said) in enumerate(log)
        ],
        columns=["what", "id", "when", "said", "order"],
    )
    of = dict(iter(acknowledged.groupby("what")))
    predicted = of["predict"].sort_values("order").drop_duplicates("id", keep="first")
    predicted = predicted[~predicted["id"].isin(of["erase"]["id"] if "erase" in of else [])]
    columns = ["version", "distance", "carrier", "p"]
    said = pd.DataFrame(predicted["said"].tolist(), columns=columns, index=predicted["id"])
    said["at"] = pd.to_datetime(predicted.set_index("id")["when"])
    told = of["tell"].assign(when=lambda t: pd.to_datetime(t["when"]))
    # The latest counts; of one time the one that was sent later.
    told = told.sort_values(["when", "order"]).drop_duplicates("id", keep="last").set_index("id")
    said["label"] = told["said"].astype(float).reindex(said.index)
    said["delay"] = (told["when"].reindex(said.index) - said["at"]).dt.total_seconds() * 1e6
    return said


def recomputed(rows: pd.DataFrame, plan: Plan) -> Sums:
    """The sums of rows by part of the profile, bin and name, by pandas alone."""
    labelled = rows[rows["label"].notna()]
    loss = (labelled["p"] - labelled["label"]) ** 2
    found: Sums = {
        ("totals", 0, "n"): len(rows),
        ("totals", 0, "score"): rows["p"].sum(),
        ("totals", 0, "score_squared"): (rows["p"] ** 2).sum(),
        ("totals", 0, "labelled"): len(labelled),
        ("totals", 0, "label"): labelled["label"].sum(),
        ("totals", 0, "loss"): loss.sum(),
        ("totals", 0, "loss_squared"): (loss**2).sum(),
    }
    late = np.searchsorted(DELAY_EDGES, labelled["delay"], side="left")
    for at, n in pd.Series(late).value_counts().items():
        found["delays", int(at), "n"] = n
    for feature in plan.features:
        values = rows[feature.name]
        if isinstance(feature, CategoryBins):
            bins = values.map({level: at for at, level in enumerate(feature.levels)})
            values = pd.Series(0.0, values.index)
        else:
            names, last = list(feature.labels), len(feature.edges) - 2
            at = np.searchsorted(feature.edges, values, side="right") - 1
            bins = pd.Series(np.where(values == feature.edges[-1], last, at), values.index)
            bins[values < feature.edges[0]] = names.index("below")
            bins[values > feature.edges[-1]] = names.index("above")
            bins[values.isna()] = names.index("null")
        by_bin = pd.DataFrame(
            {
                "n": 1.0,
                "value": values.fillna(0.0),
                "score": rows["p"],
                "labelled": rows["label"].notna().astype(float),
                "label": rows["label"].fillna(0.0),
            }
        ).groupby(bins)
        for at, sums in by_bin.sum().iterrows():
            for name, amount in sums.items():
                found[f"feature/{feature.name}", int(at), str(name)] = amount
    return found


def stored(plan: Plan, vector: np.ndarray[Any, Any]) -> Sums:
    """The sums of a stored profile that `recomputed` knows."""
    found: Sums = {}
    for part, block in plan.layout.blocks.items():
        if part not in ("totals", "delays") and not part.startswith("feature/"):
            continue
        for at in range(block.bins):
            for i, name in enumerate(block.fields):
                found[part, at, name] = vector[block.start + at * len(block.fields) + i]
    return found


def check(folder: Path, logs: list[list[Any]]) -> int:
    """Compare what is stored with what was acknowledged; how many predictions that is."""
    expected = told_and_done(logs)
    with opened(Settings(folder, "127.0.0.1", 1, "http://tocsin.test", None)) as app:
        feed = Feed(app, "late")
        with app.records.read() as connection:
            plan = models.model_named(connection, "late").plan
        for _ in range(2):
            found = feed.profiles()
            buckets = expected.groupby([expected["version"], expected["at"].dt.floor("1h")])
            assert found.keys() == {
                ProfileKey(version, int(at.timestamp() * 1e6)) for (version, at), _ in buckets
            }
            for key, vector in found.items():
                at = pd.Timestamp(key.bucket, unit="us", tz="UTC")
                _check_bucket(plan, buckets.get_group((key.version, at)), vector)
            # And so from the lake alone.
            assert app.rebuild.rebuild("late") == len(expected)
    return len(expected)


def _check_bucket(plan: Plan, rows: pd.DataFrame, vector: np.ndarray[Any, Any]) -> None:
    sums, known = stored(plan, vector), recomputed(rows, plan)
    names = {(part.partition("/")[0], name) for part, _, name in known}
    for (part, at, name), amount in sums.items():
        if (part.partition("/")[0], name) not in names:
            continue
        wanted = known.get((part, at, name), 0.0)
        if name in ("n", "labelled", "label"):
            assert amount == wanted, (part, at, name)
        else:
            np.testing.assert_allclose(amount, wanted, rtol=1e-9, atol=1e-9, err_msg=name)


@pytest.mark.parametrize(
    "kills", [8, pytest.param(200, marks=pytest.mark.soak)], ids=lambda kills: f"{kills} kills"
)
def test_what_was_acknowledged_counts_once_however_often_the_server_dies(
    tmp_path: Path, kills: int
) -> None:
    folder, logs = tmp_path / "data", tmp_path / "logs"
    logs.mkdir()
    with opened(Settings(folder, "127.0.0.1", 1, "http://tocsin.test", None)) as app:
        app.register.add("late", monitor_document(), reference(1_000))

    chance = random.Random(kills)
    with Server(folder, TOCSIN_SEAL_AGE="0s") as server:
        clients = Clients(server.url, logs)
        clients.start()
        for _ in range(kills):
            # Mostly soon; sometimes it lives long enough to fold what waits.
            time.sleep(min(chance.expovariate(1.2), 4.0))
            server.kill()
            server.start()
        acknowledged = clients.stop()
        server.caught_up(300)
        summary = server.get("/models/late/summary")

    counted = check(folder, acknowledged)
    assert counted > 20 * kills
    assert summary["repeated"] > 0
