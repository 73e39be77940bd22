"""Other monitors, each in a virtual environment of its own that is made once."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.data import Files

FOLDER = Path(__file__).parent / "peers"
# Nobody is told that a benchmark ran.
SILENT = {
    "DO_NOT_TRACK": "1",
    "EVIDENTLY_DISABLE_TELEMETRY": "1",
    "NML_DISABLE_USAGE_LOGGING": "1",
    "WHYLOGS_NO_ANALYTICS": "1",
}


class PeerError(Exception):
    """A peer could not be installed or did not run; says which, and how it ended."""


@dataclass(frozen=True)
class Report:
    """What a peer's script measured: seconds by part of its work, without imports and reading."""

    name: str
    version: str
    seconds: dict[str, float]
    peak_mb: int

    @property
    def title(self) -> str:
        """Name and version."""
        return f"{self.name} {self.version}"

    def total(self, *parts: str) -> float:
        """The seconds of these parts, or of all."""
        return sum(self.seconds[part] for part in parts or self.seconds)


@dataclass(frozen=True)
class Peer:
    """A peer's name, and the script and the requirements that lie under `peers`."""

    name: str
    script: str
    requirements: str

    def report(self, environments: Path, reference: Path, files: Files, *, repeats: int) -> Report:
        """Run the script on the files, what is brief in it so many times.

        Raises: PeerError.
        """
        print(f"{self.name} runs on {files.rows:,} rows", file=sys.stderr, flush=True)
        inputs = (reference, files.predictions, files.outcomes, repeats)
        return Report(self.name, **self.said(environments, *inputs))

    def said(self, environments: Path, *inputs: Any) -> dict[str, Any]:
        """What the script prints last, as JSON. Raises: PeerError."""
        python = self._environment(environments)
        output = self._output(str(python), str(FOLDER / self.script), *map(str, inputs))
        found: dict[str, Any] = json.loads(output.strip().splitlines()[-1])
        return found

    def _environment(self, environments: Path) -> Path:
        """The interpreter with the peer; made again when its requirements have changed."""
        folder = environments / self.name.lower()
        python = folder / "bin" / "python"
        requirements = FOLDER / self.requirements
        marker = folder / "installed.txt"
        wanted = f"# Python {sys.version}\n{requirements.read_text()}"
        if not marker.exists() or marker.read_text() != wanted:
            print(f"{self.name} is being installed into {folder}", file=sys.stderr, flush=True)
            shutil.rmtree(folder, ignore_errors=True)
            self._output(sys.executable, "-m", "venv", str(folder))
            install = ("install", "--quiet", "--disable-pip-version-check")
            self._output(str(python), "-m", "pip", *install, "--requirement", str(requirements))
            marker.write_text(wanted)
        return python

    def _output(self, *command: str) -> str:
        environment = {**os.environ, **SILENT}
        # Ours would put Tocsin's libraries before the peer's.
        environment.pop("PYTHONPATH", None)
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            last = "\n".join(line[:200] for line in done.stderr.strip().splitlines()[-8:])
            raise PeerError(
                f"{self.name}: {' '.join(command)} ended with {done.returncode}\n{last}"
            )
        return done.stdout


EVIDENTLY = Peer("Evidently", "evidently_drift.py", "evidently.txt")
NANNYML = Peer("NannyML", "nannyml_hourly.py", "nannyml.txt")
WHYLOGS = Peer("whylogs", "whylogs_hourly.py", "whylogs.txt")
