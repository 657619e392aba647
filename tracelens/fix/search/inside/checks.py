"""The checks that a patch has to pass: statements of Python, or tests that pytest collects.

A check runs in this process and leaves no trace of its own; what the code under test leaves behind is the server's
concern (it forks).
"""

from __future__ import annotations

import contextlib
import copy
import hashlib
import io
import re
import signal
import sys
import time
from collections.abc import Callable
from typing import Any

from .instrument import Fuel, OutOfFuel

_HARMLESS = {"event_loop_policy"}
"""Fixtures that plugins put on every test and that mean nothing to one that is no coroutine."""
PASSED, WRONG, RAISED, OUT, SKIPPED = "passed", "wrong", "raised", "out of fuel", "skipped"
NOT_RUN = "not run"


class Check:
    """One check. `run` raises what the check raises."""

    def __init__(self, name: str, run: Callable[[], None]) -> None:
        self.name = name
        self.run = run


class Outcome:
    __slots__ = ("error", "kind", "spent", "used")

    def __init__(self, kind: str, used: int, spent: float, error: BaseException | None) -> None:
        self.kind = kind
        self.used = used
        """Steps."""
        self.spent = spent
        """CPU seconds."""
        self.error = error

    def words(self) -> str:
        if self.error is None:
            return ""
        try:
            text = str(self.error)
        except BaseException:
            text = "?"
        return f"{type(self.error).__name__}: {text[:300]}"

    def digest(self) -> str:
        """Differs when the check fails otherwise."""
        return hashlib.blake2b(self.words().encode(errors="replace"), digest_size=6).hexdigest()


def run(check: Check, fuel: int, seconds: float) -> Outcome:
    """Run a check with so many steps, and, for what takes no steps, so many seconds of CPU time."""
    Fuel.left = fuel
    error: BaseException | None = None
    kind = PASSED
    begun = time.process_time()
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        check.run()
    except OutOfFuel:
        kind = OUT
    except AssertionError as wrong:
        kind, error = WRONG, wrong
    except BaseException as raised:
        kind, error = RAISED, raised
        if type(raised).__name__ == "Skipped":
            kind, error = SKIPPED, None
        elif type(raised).__name__ == "Failed":
            kind = WRONG
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    used = fuel - Fuel.left
    if Fuel.left < 0:
        kind, error = OUT, None
    Fuel.left = 1 << 62
    return Outcome(kind, used, time.process_time() - begun, error)


def _no_time_left(number: int, frame: Any) -> None:
    Fuel.left = -1
    raise OutOfFuel


def prepare() -> None:
    signal.signal(signal.SIGVTALRM, _no_time_left)


def from_statements(said: dict[str, Any], module: Any) -> list[Check]:
    """Checks as statements that see the names of a module, and what `setup` defines."""
    base = dict(vars(module))
    base.pop("__name__", None)
    if said.get("setup"):
        exec(compile(said["setup"], "<setup>", "exec", dont_inherit=True), base)  # noqa: S102
    found = []
    for name, text in said["checks"]:
        found.append(Check(name, _statement(compile(text, f"<{name}>", "exec", dont_inherit=True), base)))
    return found


def _statement(code: Any, base: dict[str, Any]) -> Callable[[], None]:
    def run_it() -> None:
        exec(code, dict(base))  # noqa: S102

    return run_it


def with_pytest(arguments: list[str], serve: Callable[[list[Check]], None]) -> str:
    """Let pytest collect, and `serve` while its session is open. Returns why that was not possible, "" it was."""
    try:
        import pytest
    except ImportError:
        return f"pytest is not installed for {sys.executable}"
    problems: list[str] = []
    served = []
    said, outside = io.StringIO(), sys.stderr

    class Plugin:
        def pytest_collectreport(self, report: Any) -> None:
            if report.failed:
                problems.append(f"{report.nodeid}: {str(report.longrepr).strip().splitlines()[-1][:300]}")

        def pytest_runtestloop(self, session: Any) -> bool:
            if not session.items:
                return True
            served.append(True)
            try:
                with contextlib.redirect_stderr(outside):
                    serve([Check(item.nodeid, _item(item)) for item in session.items])
            except BaseException as error:  # pytest would swallow it
                problems.append(f"{type(error).__name__}: {str(error)[:500]}")
                served.clear()
            return True

    quiet = [
        "-q",
        "-s",
        "--assert=plain",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:xdist",
        "-p",
        "no:timeout",
        "-p",
        "no:randomly",
        "-p",
        "no:tracelens",  # nothing is recorded here, and its files may be out of sight
    ]
    with contextlib.redirect_stderr(said):
        status = pytest.main([*quiet, "-o", "addopts=", *arguments], plugins=[Plugin()])
    if served:
        return ""
    # "pytest.main(): error: unrecognized arguments: …" below a usage, or "ERROR: file or directory not found: …".
    refused = re.search(r"error: (?!usage)(.*)", said.getvalue(), re.I)
    if not problems and refused:
        return f"pytest says: {refused[1].strip()[:300]}"
    return problems[0] if problems else f"pytest collected no test (status {int(status)})"


def _item(item: Any) -> Callable[[], None]:
    """How to run a test: called at once where it needs nothing but its parameters, else by pytest's own way."""
    parameters = dict(item.callspec.params) if hasattr(item, "callspec") else {}
    marks = {mark.name for mark in item.iter_markers()} - {"parametrize"}
    fixtures = _fixtures(item.session)
    plain = type(item).__name__ == "Function" and item.cls is None and not marks
    if (
        not plain
        or set(item.fixturenames) - set(parameters) - _HARMLESS
        or any(name in fixtures for name in parameters)
    ):
        return _by_protocol(item)
    function = item.obj
    if getattr(getattr(function, "__code__", None), "co_flags", 0) & 0x280:  # a coroutine: some plugin runs it
        return _by_protocol(item)

    def run_it() -> None:
        function(**{name: _own(value) for name, value in parameters.items()})

    return run_it


def _own(value: Any) -> Any:
    """A copy, so that what one candidate does to it is not met by the next; the value itself where it has none."""
    try:
        return copy.deepcopy(value)
    except Exception:  # a module, a lock, or what only its class knows
        return value


def _fixtures(session: Any) -> dict[str, Any]:
    """Names of real fixtures, wherever this version of pytest keeps them; what looks like one is no parameter."""
    found: dict[str, Any] = {}
    for name in ("_arg2fixturedefs", "_arg2node2fixturedefs", "_arg2nodeid2fixturedefs"):
        found.update(getattr(session._fixturemanager, name, {}))
    return found


def _as_reported(item: Any) -> None:
    """What fixtures look for in the report of their test when they end, which is not made: `tmp_path` does."""
    try:
        from _pytest.tmpdir import tmppath_result_key
    except ImportError:  # before pytest 7.3
        return
    item.stash[tmppath_result_key] = {}


def _by_protocol(item: Any) -> Callable[[], None]:
    """By pytest's own hooks, which raise what the test raised; without its reports, which cost more than most tests."""

    def run_it() -> None:
        if not getattr(item, "_request", True):
            item._initrequest()
        hooks = item.ihook
        # Not set to None: pytest puts what a TestCase raised into a list that it makes where there is no such entry.
        vars(item).pop("_excinfo", None)
        _as_reported(item)
        try:
            hooks.pytest_runtest_setup(item=item)
            hooks.pytest_runtest_call(item=item)
            # What a unittest.TestCase raised, pytest keeps for the report that is not made here.
            for kept in getattr(item, "_excinfo", None) or ():
                raise kept.value
        finally:
            try:
                hooks.pytest_runtest_teardown(item=item, nextitem=None)
            finally:
                for name in ("last_type", "last_value", "last_traceback", "last_exc"):
                    vars(sys).pop(name, None)
                if hasattr(item, "_request"):
                    item._request = False
                    item.funcargs = None

    return run_it
