"""What pytest really prints, in each of its styles: the same exceptions, at the same places, of the same tests."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.traces.conftest import index
from tracelens_indexer.source.facts import unit_id
from tracelens_indexer.store import Writer
from tracelens_indexer.traces.importing import import_file

CORE = """\
def divide(a, b):
    return a / b


def chained(a):
    try:
        return divide(a, 0)
    except ZeroDivisionError as error:
        raise ValueError(f"no {a}") from error


def numbers(n):
    yield n
    raise KeyError(n)


class Thing:
    def run(self, items):
        return sum(divide(i, 0) for i in items)


def deep(n):
    return deep(n - 1) if n else divide(1, 0)
"""

TESTS = """\
import pytest
from pkg import core


@pytest.fixture
def broken():
    core.divide(1, 0)


def test_chained():
    core.chained(3)


class TestThing:
    @pytest.mark.parametrize("n", [1.5])
    def test_run(self, n):
        core.Thing().run([n, 2])


def test_numbers():
    list(core.numbers(4))


def test_fixture(broken):
    pass


def test_deep():
    core.deep(30)


def test_assert():
    assert core.Thing() is None, "with a message"
"""

EXPECTED = {
    ("divide", "ZeroDivisionError", 1, "test_it.py::test_chained"),
    ("chained", "ValueError", 4, "test_it.py::test_chained"),
    ("divide", "ZeroDivisionError", 1, "test_it.py::TestThing::test_run[1.5]"),
    ("numbers", "KeyError", 2, "test_it.py::test_numbers"),
    ("divide", "ZeroDivisionError", 1, "test_it.py::test_deep"),
    ("divide", "ZeroDivisionError", 1, "test_it.py::test_fixture"),
    ("test_assert", "AssertionError", 1, "test_it.py::test_assert"),
}

WITHOUT_TEST = {one for one in EXPECTED if one[3].endswith("::test_fixture")} | {
    ("divide", "ZeroDivisionError", 1, "test_it.py::test_chained")
}
"""Python's own tracebacks of a cause, or of a fixture, do not show the test."""


@pytest.mark.parametrize(
    "options",
    [("--tb=short",), ("--tb=long", "-l"), ("--tb=auto",), ("--tb=native",), ("--junit-xml=report.xml", "-l")],
    ids=" ".join,
)
def test_every_style_says_the_same(tmp_path: Path, options: tuple[str, ...]) -> None:
    root = tmp_path / "project"
    (root / "pkg").mkdir(parents=True)
    (root / "pkg" / "__init__.py").write_text("")
    (root / "pkg" / "core.py").write_text(CORE)
    (root / "test_it.py").write_text(TESTS)
    (root / "pytest.ini").write_text("[pytest]\n")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options, "test_it.py"],
        cwd=root,
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 1, done.stdout
    report = root / "report.xml"
    if not report.exists():
        report = root / "out.txt"
        report.write_text(done.stdout)
    with Writer(root) as writer:
        index(writer, root)
        summary = import_file(writer, report)
        assert not summary.frames.ambiguous
        assert not summary.frames.unjoined
        assert not summary.skipped
        seen = {
            (failure.unit.name, failure.type, failure.line - failure.unit.first_line, test)
            for failure in writer.index.failures()
            if failure.origin
            for test in failure.tests
        }
        assert seen == EXPECTED - (WITHOUT_TEST if "--tb=native" in options else set())
        if "-l" in options:
            (capture, *_) = writer.index.captures(unit_id("pkg/core.py", "numbers"))
            assert capture.arguments == (("n", "int", "4"),)
