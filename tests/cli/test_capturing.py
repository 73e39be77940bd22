"""Serving processes are kept running."""

import multiprocessing
import os
from multiprocessing.process import BaseProcess

import pytest

from tocsin.cli.capturing import keep_running
from tocsin.errors import StartupError


class Processes:
    """Processes that end at once, and a clock; the last one that is asked for interrupts."""

    def __init__(self, most: int, lived_s: float) -> None:
        self.most = most
        self.lived_s = lived_s
        self.made: list[BaseProcess] = []
        self.at = 0.0
        self.pauses: list[float] = []

    def __call__(self) -> BaseProcess:
        if len(self.made) == self.most:
            raise KeyboardInterrupt
        made = multiprocessing.get_context("spawn").Process(target=os._exit, args=(3,))
        self.made.append(made)
        return made

    def now(self) -> float:
        self.at += self.lived_s
        return self.at

    def keep(self) -> None:
        keep_running(self, 1, now=self.now, pause=self.pauses.append)


def test_a_process_that_ends_is_replaced() -> None:
    processes = Processes(most=5, lived_s=100.0)
    with pytest.raises(KeyboardInterrupt):
        processes.keep()
    assert [process.exitcode for process in processes.made] == [3] * 5
    assert all(pause > 0 for pause in processes.pauses)


def test_processes_that_end_as_they_begin_are_given_up() -> None:
    processes = Processes(most=5, lived_s=1.0)
    with pytest.raises(StartupError, match="3 serving processes in a row ended soon"):
        processes.keep()
    assert len(processes.made) == 3
