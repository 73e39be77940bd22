"""A session of Spark, and what went wrong there in a sentence."""

import logging
import os
import re
import socket
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tocsin.errors import StartupError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

# Spark itself would try for a minute, and say so in hundreds of lines.
_CONNECT_S = 5.0
_MASTERS = ("local", "spark://", "k8s://", "yarn")
_OPTIONS = {
    "spark.sql.session.timeZone": "UTC",
    "spark.ui.enabled": "false",
    "spark.sql.execution.arrow.maxRecordsPerBatch": "65536",
    # As Parquet has it: `Amount` and `amount` are two columns.
    "spark.sql.caseSensitive": "true",
    # Rows are told apart by their hash, whatever columns they have.
    "spark.sql.legacy.allowHashOnMapType": "true",
}


def spark_session(master: str) -> "SparkSession":
    """A session at a master.

    Raises: StartupError when there is none; ModuleNotFoundError without pyspark.
    """
    from pyspark.sql import SparkSession

    if not master.startswith(_MASTERS):
        raise StartupError(
            f"no Spark at {master}: --master has to be local, local[N], spark://HOST:PORT, "
            "k8s://..., or yarn"
        )
    # Or what is raised is on standard error too, in a line of many kilobytes.
    logging.getLogger("SQLQueryContextLogger").setLevel(logging.CRITICAL + 1)
    _check_answers(master)
    builder = SparkSession.builder.appName("tocsin").master(master)
    for name, value in _OPTIONS.items():
        builder = builder.config(name, value)
    if master.startswith("local"):
        # The executors are this machine and can have this very Python; Spark asks the environment.
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    try:
        with quiet():
            return builder.getOrCreate()
    except Exception as error:
        raise StartupError(f"no Spark at {master}: {told(error)}") from error


def _check_answers(master: str) -> None:
    """Raises: StartupError when none of the masters of a standalone cluster can be reached."""
    if not master.startswith("spark://"):
        return
    reasons = []
    for address in master.removeprefix("spark://").split(","):
        host, _, port = address.rpartition(":")
        try:
            with socket.create_connection((host, int(port)), _CONNECT_S):
                return
        except (OSError, ValueError, OverflowError) as error:
            reasons.append(f"{address}: {error}")
    raise StartupError(
        f"no Spark answers at {master} ({'; '.join(reasons)}); name its master with --master"
    )


@contextmanager
def quiet() -> Iterator[None]:
    """Spark warns of newer versions of pandas, which is not used here."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "PySpark does not yet fully support", FutureWarning)
        yield


def told(error: Exception) -> str:
    """What Spark says in a line: of a Python traceback the last one, else the first."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if not lines:
        return type(error).__name__
    ours = [line for line in lines if re.match(r"tocsin\.errors\.\w+: ", line)]
    if ours:
        return ours[-1].split(": ", 1)[1]
    last = [i for i, line in enumerate(lines) if line.startswith("Traceback")]
    if last:
        raised = re.compile(r"\w[\w.]*(Error|Exception|Invalid): ")
        ends = [line for line in lines[last[0] :] if raised.match(line)]
        said = ends[-1] if ends else lines[0]
    else:
        named = [line[line.index("[") :] for line in lines if re.search(r" \[[A-Z_.]{6,}\] ", line)]
        said = named[0] if named and not lines[0].startswith("[") else lines[0]
    if "No module named 'tocsin'" in said:
        said += "; install tocsin[server] for the executors' Python, and name it in PYSPARK_PYTHON"
    if "NANOS" in said:
        said += "; Spark has no nanoseconds: write microseconds, or use the local engine"
    return said
