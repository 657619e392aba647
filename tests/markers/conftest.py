"""Collects marker tests: Markdown files that hold a small program, what was recorded of it, and what is told of it.

A file has prose first, then fenced blocks:

    ```python NAME        a file of the workspace; `# @NAME("piece")` at the end of a line names the place of that piece
    ```calls              recorded calls, one JSON object on a line; tests/answers/recorded.py says what they hold
    ```edit NAME          an edit of the open buffer, not saved: the old text, a line of `---`, the new text
    ```expect KIND NAME   what is told: `hover` at a marked place, `lenses`, `hints`, `diagnostics`, `actions` of a file

`pytest tests/markers --update` writes what is told now into the expectations.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest

from tests.answers import recorded
from tracelens.answers import actions, diagnostics, hints, hover, lenses, render
from tracelens.answers.document import DocumentSnapshot, Position, Span, following
from tracelens.answers.snapshot import IndexSnapshot
from tracelens_indexer.store import Index

_BLOCK = re.compile(r"^```(\w+)[ ]?([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_MARK = re.compile(r'@(\w+)\("([^"]+)"\)')
_MARKS = "  # @"
"""Begins the marks of a line."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update", action="store_true", help="Write what is told now into the marker files.")


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    if file_path.suffix == ".md" and file_path.parent.parent == Path(__file__).parent:
        return MarkerFile.from_parent(parent, path=file_path)
    return None


class MarkerFile(pytest.File):
    def collect(self) -> Iterator[pytest.Item]:
        yield MarkerTest.from_parent(self, name=self.path.stem)


@dataclass
class Workspace:
    index: IndexSnapshot
    documents: dict[str, DocumentSnapshot]
    marks: dict[str, tuple[str, Position]]


class MarkerTest(pytest.Item):
    funcargs: ClassVar[dict[str, object]] = {}
    """pytest-lsp looks into it, and cannot do without."""

    def runtest(self) -> None:
        text = self.path.read_text(encoding="utf-8")
        root = self.config._tmp_path_factory.mktemp("markers") / "app"  # type: ignore[attr-defined]
        blocks = [(m[1], m[2].strip(), m[3]) for m in _BLOCK.finditer(text)]
        files = {name: body for kind, name, body in blocks if kind == "python"}
        calls = [json.loads(line) for kind, _, body in blocks if kind == "calls" for line in body.splitlines() if line]
        index = recorded.workspace(root, files, calls)
        try:
            told = _told(text, _opened(index, files, blocks))
        finally:
            index.close()
        if told != text and self.config.getoption("--update", default=False):
            self.path.write_text(told, encoding="utf-8")
        else:
            assert told.splitlines() == text.splitlines()

    def reportinfo(self) -> tuple[Path, int, str]:
        return self.path, 0, f"{self.path.parent.name}: {self.name}"


def _opened(index: Index, files: dict[str, str], blocks: list[tuple[str, str, str]]) -> Workspace:
    documents = {name: DocumentSnapshot(name, body.encode()) for name, body in files.items()}
    for kind, name, body in blocks:
        if kind == "edit":
            old, new = body.split("---\n")
            before = documents[name]
            assert old.encode() in before.text, f"{name} does not hold {old!r}"
            # What is shown before an edit is what must not flicker after it.
            assert before.units
            documents[name] = following(before, before.text.replace(old.encode(), new.encode(), 1), before.version + 1)
    marks = {}
    for name, document in documents.items():
        for number in range(len(document.line_starts)):
            line = document.line(number).decode()
            for mark in _MARK.finditer(line, max(line.find(_MARKS), 0)):
                marks[mark[1]] = (name, Position(number, len(line[: line.index(mark[2])].encode())))
    return Workspace(IndexSnapshot(index), documents, marks)


def _told(text: str, workspace: Workspace) -> str:
    def told(match: re.Match[str]) -> str:
        if match[1] != "expect":
            return match[0]
        kind, _, name = match[2].strip().partition(" ")
        return f"```expect {kind} {name}\n{_KINDS[kind](workspace, name)}\n```"

    return _BLOCK.sub(told, text)


def _hover(workspace: Workspace, name: str) -> str:
    path, position = workspace.marks[name]
    found = hover.hover(workspace.documents[path], workspace.index, position, recorded.NOW)
    if found is None:
        return "nothing"
    bars = found.answer.bars if isinstance(found.answer, hover.ParameterAnswer) else None
    return render.plain(found.answer.blocks, bars)


def _lenses(workspace: Workspace, name: str) -> str:
    document = workspace.documents[name]
    return _lines(
        f"{_at(document, lens.span)}   {lens.title}" for lens in lenses.lenses(document, workspace.index, most=20)
    )


def _hints(workspace: Workspace, name: str) -> str:
    document = workspace.documents[name]
    found = hints.hints(document, workspace.index, "all", parameters="all")
    return _lines(
        f"{_line(document, hint.position.line)}   {hint.parameter and f'{hint.parameter}: '}{hint.label}"
        for hint in found
    )


def _diagnostics(workspace: Workspace, name: str) -> str:
    document = workspace.documents[name]
    lines = []
    for found in diagnostics.diagnostics(document, workspace.index):
        lines.append(f"{_at(document, found.span)}   {found.severity}: {found.message} tracelens({found.rule})")
        lines += [f"    {frame.path}:{frame.line + 1} {frame.message}" for frame in found.related]
    return _lines(lines)


def _actions(workspace: Workspace, name: str) -> str:
    path, position = workspace.marks[name]
    found = actions.actions(workspace.documents[path], workspace.index, Span(position, position))
    return _lines(f"{action.title} ({action.kind})" for action in found)


def _at(document: DocumentSnapshot, span: Span) -> str:
    return _line(document, span.start.line)


def _line(document: DocumentSnapshot, number: int) -> str:
    return f"{number + 1} | {document.line(number).decode().partition(_MARKS)[0].strip()}"


def _lines(lines: object) -> str:
    return "\n".join(lines) or "nothing"  # type: ignore[call-overload]


_KINDS: dict[str, Callable[[Workspace, str], str]] = {
    "hover": _hover,
    "lenses": _lenses,
    "hints": _hints,
    "diagnostics": _diagnostics,
    "actions": _actions,
}
