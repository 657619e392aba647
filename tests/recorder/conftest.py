"""Programs are recorded by real interpreters, as many of 3.9, 3.11, 3.12 and 3.13 as this machine has."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import pytest

from tracelens_indexer.traces import recording
from tracelens_indexer.traces.records import Call, Count, EdgeCount, Failure, Record, RunFacts, Sample
from tracelens_indexer.traces.report import Report
from tracelens_recorder.launch import Options, environment

VERSIONS = ("3.9", "3.11", "3.12", "3.13")
T = TypeVar("T")


def _interpreters() -> dict[str, str]:
    found = {f"{sys.version_info[0]}.{sys.version_info[1]}": sys.executable}
    homes = [Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"]
    for version in VERSIONS:
        candidates = [str(one / "bin/python") for home in homes for one in sorted(home.glob(version + ".*"))]
        on_path = shutil.which(f"python{version}")
        for candidate in [*candidates, *([on_path] if on_path else [])]:
            said = subprocess.run(
                [candidate, "-c", "import sys; print(sys.version_info[:2])"], capture_output=True, text=True
            )
            if said.stdout.strip() == str(tuple(map(int, version.split(".")))):
                found[version] = candidate
                break
    return found


INTERPRETERS = _interpreters()


@pytest.fixture(params=[one for one in VERSIONS if one in INTERPRETERS])
def python(request: pytest.FixtureRequest) -> str:
    return INTERPRETERS[request.param]


@pytest.fixture
def modern_python() -> str:
    """One that has sys.monitoring."""
    for version in ("3.12", "3.13"):
        if version in INTERPRETERS:
            return INTERPRETERS[version]
    pytest.skip("no Python 3.12 or newer here")


@dataclass
class Recorded:
    """What a run of a program left."""

    process: subprocess.CompletedProcess[str]
    files: list[Path]
    report: Report = field(default_factory=Report)

    def records(self, path: Path | None = None) -> list[Record]:
        found: list[Record] = []
        for file in self.files if path is None else [path]:
            with file.open("rb") as stream:
                assert recording.recognises(stream.read(16))
                stream.seek(0)
                found += recording.read(stream, self.report)
        return found

    def _of(self, kind: type[T]) -> list[T]:
        return [one for one in self.records() if isinstance(one, kind)]

    @property
    def facts(self) -> RunFacts:
        (facts,) = self._of(RunFacts)
        return facts

    @property
    def counts(self) -> dict[str, Count]:
        """By the last segment of the name, summed over nothing: a name twice is an error of the test."""
        found: dict[str, Count] = {}
        for count in self._of(Count):
            name = count.frame.name.rpartition(".")[2]
            assert name not in found, name
            found[name] = count
        return found

    @property
    def calls(self) -> list[Call]:
        return self._of(Call)

    @property
    def failures(self) -> list[Failure]:
        return self._of(Failure)

    @property
    def samples(self) -> list[Sample]:
        return self._of(Sample)

    @property
    def edges(self) -> dict[tuple[str, str, int], int]:
        return {
            (e.caller.name.rpartition(".")[2], e.callee.name.rpartition(".")[2], e.site_line): e.calls
            for e in self._of(EdgeCount)
        }

    def arguments(self, name: str) -> list[dict[str, Any]]:
        return [dict(call.arguments) for call in self.calls if call.frame.name.rpartition(".")[2] == name]


Recording = Callable[..., Recorded]


@pytest.fixture
def record(tmp_path: Path) -> Recording:
    """record(python, source or command, **options): writes `program.py` into a project folder and runs it."""
    project = tmp_path / "project"
    project.mkdir(exist_ok=True)
    out = tmp_path / "out"
    out.mkdir()

    def run(
        python: str,
        source: str = "",
        *,
        command: list[str] | None = None,
        options: Options | None = None,
        env: dict[str, str] | None = None,
    ) -> Recorded:
        if source:
            (project / "program.py").write_text(textwrap.dedent(source), encoding="utf-8")
        environ = dict(os.environ)
        environ.pop("PYTEST_CURRENT_TEST", None)
        environ.pop("PYTHONPATH", None)
        environ.update(environment(str(out), str(project), options or Options()))
        environ["TRACELENS_DEBUG"] = "1"
        if env and "PYTHONPATH" in env:
            env = {**env, "PYTHONPATH": environ["PYTHONPATH"] + os.pathsep + env["PYTHONPATH"]}
        environ.update(env or {})
        process = subprocess.run(
            [python, *(command or ["program.py"])], cwd=project, env=environ, capture_output=True, text=True, timeout=60
        )
        return Recorded(process, sorted(out.glob("*.tlrec")))

    return run


@pytest.fixture(autouse=True)
def _usual_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    """As for users, where the tests of other parts give the recorder more."""
    monkeypatch.delenv("TRACELENS_BUDGET", raising=False)
