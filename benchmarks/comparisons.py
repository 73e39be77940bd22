"""What is compared with what, and what has to be reached."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow.parquet as pq

from benchmarks import capture as captured
from benchmarks import data, ingest, ours
from benchmarks import sdk as logging_sdk
from benchmarks.bench import THREADS, Bench
from benchmarks.peer import EVIDENTLY, NANNYML, WHYLOGS
from benchmarks.table import Bar, Row
from benchmarks.timing import seconds


def profile(bench: Bench) -> Iterator[Row]:
    """Hourly profiles without labels, against only reading the same columns."""
    file = bench.many.predictions
    tocsin_s, plain_s, encoded_s = seconds(
        lambda: ours.profile_parquet(bench.reference, file, threads=THREADS),
        lambda: _read(file, ours.COLUMNS),
        lambda: _read(file, ours.COLUMNS, read_dictionary=list(data.TEXTS)),
    )
    work = "hourly profile"
    plain, encoded = "pyarrow reads it, 1 thread", "the same, texts as codes"
    yield Row(work, bench.many.rows, tocsin_s, plain, plain_s, Bar(least=round(1 / 1.2, 2)))
    yield Row(work, bench.many.rows, tocsin_s, encoded, encoded_s)


def outcomes(bench: Bench) -> Iterator[Row]:
    """Hourly profiles with the outcome that counts, against only reading both files."""

    def read() -> None:
        _read(bench.many.predictions)
        _read(bench.many.outcomes)

    tocsin_s, other_s = seconds(lambda: bench.join(bench.many), read)
    work, other = "hourly profile with outcomes", "pyarrow reads both, 1 thread"
    yield Row(work, bench.many.rows, tocsin_s, other, other_s, Bar(least=round(1 / 3, 2)))


def evaluation(bench: Bench) -> Iterator[Row]:
    """All metrics and divergences of every hour, against the same of ten times the rows."""
    few, many = bench.hours(bench.few), bench.hours(bench.many)
    tocsin_s, other_s = seconds(
        lambda: ours.evaluate(bench.reference, few), lambda: ours.evaluate(bench.reference, many)
    )
    work = f"evaluation of {len(few.vector)} hours"
    bar = Bar(least=0.8, most=1.2, within_s=0.1)
    yield Row(work, bench.few.rows, tocsin_s, "Tocsin, 10 times the rows", other_s, bar)


def evidently(bench: Bench) -> Iterator[Row]:
    """Drift of all rows from a known reference."""
    file = bench.few.predictions
    (tocsin_s,) = seconds(lambda: ours.drift(bench.reference, file, threads=THREADS))
    report = bench.report(EVIDENTLY)
    for method, other_s in report.seconds.items():
        other = f"{report.title}, {method}"
        yield Row("drift", bench.few.rows, tocsin_s, other, other_s, Bar(least=100))


def nannyml(bench: Bench) -> Iterator[Row]:
    """Drift and performance of every hour, with the reference to be learnt and without."""

    def known() -> None:
        ours.evaluate(bench.reference, bench.join(bench.few))

    reference_s, known_s = seconds(lambda: ours.profile_reference(bench.reference_file), known)
    report = bench.report(NANNYML)
    work, rows, title = "hourly drift, performance", bench.few.rows, report.title
    every, both_s = f"{title} with CBPE, fit", reference_s + known_s
    yield Row(work, rows, both_s, every, report.total(), Bar(least=100))
    yield Row(work, rows, known_s, f"{title}, fitted before", report.total("drift", "performance"))


def whylogs(bench: Bench) -> Iterator[Row]:
    """A profile of every hour, and one of all merged."""
    (tocsin_s,) = seconds(
        lambda: ours.whole(
            ours.profile_parquet(bench.reference, bench.few.predictions, threads=THREADS)
        )
    )
    report = bench.report(WHYLOGS)
    work = "hourly profiles, merged"
    yield Row(work, bench.few.rows, tocsin_s, report.title, report.total(), Bar(least=100))


def http(bench: Bench) -> Iterator[Row]:
    """Rows over HTTP until they are durable, against only parsing them."""
    predictions = bench.many.predictions
    yield from ingest.formats(
        bench.folder / "http", bench.reference_file, predictions, quick=bench.quick
    )


def server(bench: Bench) -> Iterator[Row]:
    """Ten times the rows through a server, its memory, and late outcomes of all of them."""
    yield from ingest.many(bench.folder / "server", bench.reference_file, bench.many)


def sdk(bench: Bench) -> Iterator[Row]:
    """What logging costs a serving thread, against writing the same rows as JSON there."""
    yield from logging_sdk.comparisons(quick=bench.quick)


def capture(bench: Bench) -> Iterator[Row]:
    """Requests to a model behind `tocsin serve`, against the same behind MLflow's own server."""
    yield from captured.comparisons(bench.folder / "capture", quick=bench.quick)


COMPARISONS: dict[str, Callable[[Bench], Iterator[Row]]] = {
    found.__name__: found
    for found in (
        profile,
        outcomes,
        evaluation,
        http,
        server,
        evidently,
        nannyml,
        whylogs,
        sdk,
        capture,
    )
}


def _read(file: Path, columns: list[str] | None = None, **options: list[str]) -> None:
    pq.read_table(file, columns=columns, use_threads=False, **options)
