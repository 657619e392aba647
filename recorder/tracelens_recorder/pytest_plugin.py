"""`pytest --tracelens` records the tests; `--tracelens=failed` keeps only what ran in tests that failed.

pytest loads this through an entry point of the distribution; it is the only module here that imports pytest. Under
`tracelens record -- pytest` the process is recorded already: then only `=failed` changes something. With xdist each
worker records itself, into one folder, and the process that hands out the tests is not recorded.
"""

from __future__ import annotations

import os
from typing import Any, Generator, Optional

import pytest

from tracelens_recorder import control, keeping, process
from tracelens_recorder.process import Recorder
from tracelens_recorder.workspace import find_root, new_folder

_FOLDER = "tracelens_folder"


def pytest_addoption(parser: Any) -> None:
    group = parser.getgroup("tracelens", "TraceLens")
    group.addoption(
        "--tracelens",
        nargs="?",
        const="all",
        default=None,
        choices=["all", "failed"],
        metavar="all|failed",
        help="record calls, values and exceptions; =failed keeps those of failing tests alone",
    )
    group.addoption("--tracelens-exact", action="store_true", default=False, help="count every call, whatever it costs")


def pytest_configure(config: Any) -> None:
    mode = config.getoption("tracelens", None)
    if mode is None:
        return
    worker = getattr(config, "workerinput", None)
    root = find_root(str(config.rootpath))
    folder = worker.get(_FOLDER) if worker is not None else new_folder(root, "pytest")
    running = process.current()
    plugin = _Recording(mode, folder or new_folder(root, "pytest"), root, running is None)
    config.pluginmanager.register(plugin, "tracelens-recording")
    if running is None and (worker is not None or not _hands_out(config)):
        control.start(
            root=root, out=plugin.folder, keep=mode, exact=True if config.getoption("tracelens_exact") else None
        )


def _hands_out(config: Any) -> bool:
    """Whether this process gives the tests to others (xdist)."""
    return bool(getattr(config.option, "dist", "no") != "no" or getattr(config.option, "tx", None))


class _Recording:
    """Registered when recording was asked for."""

    def __init__(self, mode: str, folder: str, root: str, mine: bool) -> None:
        self.mode = mode
        self.folder = folder
        self.root = root
        self.mine = mine
        """This process is recorded because of us."""
        self.failed = False
        self.said = ""

    @property
    def recorder(self) -> Optional[Recorder]:
        return process.current()

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """xdist: a worker is about to be started."""
        if self.mine:
            node.workerinput[_FOLDER] = self.folder

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: Any) -> Generator[None, None, None]:
        recorder = self.recorder if self.mode == "failed" else None
        if recorder is None:
            yield
            return
        self.failed = False
        keeping.begin(recorder.session)
        yield
        keeping.end(recorder.session, self.failed)

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.failed:
            self.failed = True

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        recorder = self.recorder
        if not self.mine:
            return
        what = "failing tests" if self.mode == "failed" else "tests"
        if recorder is not None and not recorder.collecting:
            line = "; ".join(recorder.session.notes) or "nothing was recorded"
        elif recorder is None and not os.path.isdir(self.folder):
            line = "nothing was recorded"
        else:
            line = f"the {what} are recorded · next: tracelens hot · tracelens failures"
        terminalreporter.write_line("TraceLens: " + line)

    def pytest_unconfigure(self) -> None:
        if self.mine:
            control.stop()
