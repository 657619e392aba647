"""Real programs, really run: their calls encoded as the recorder does, in an index that lives in memory."""

from __future__ import annotations

import ast
import asyncio
import contextlib
import importlib.util
import inspect
import sys
import textwrap
import types
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tracelens.fix.evidence import find_function
from tracelens.fix.patch import Source
from tracelens_indexer.graph.links import Edge
from tracelens_indexer.source.facts import qualname, unit_id
from tracelens_indexer.store.answers import (
    CaptureRecord,
    FailureRecord,
    ObservedEdge,
    Profile,
    UnitRecord,
)
from tracelens_recorder import classes, values
from tracelens_recorder.replayable import encode_arguments


def unit_of(root: Path, path: str, scope: str) -> UnitRecord:
    source = Source.read(root, path)
    node = find_function(source, scope)
    assert node is not None, scope
    module = path.removesuffix(".py").replace("/", ".")
    name = scope.rpartition(".")[2]
    return UnitRecord(
        id=unit_id(path, scope),
        path=path,
        module=module,
        scope=scope,
        ordinal=0,
        qualname=qualname(module, scope),
        name=name,
        kind="method" if "." in scope else "function",
        parent=None,
        first_line=node.lineno,
        def_line=node.lineno,
        end_line=node.end_lineno or node.lineno,
        name_line=node.lineno,
        name_column=node.col_offset,
        body_hash="",
        signature=f"{name}({ast.unparse(node.args)})",
        docstring="",
        parameters=(),
        returns="",
        resumes=False,
    )


class RecordedIndex:
    """The store's answers about a few calls that were made here."""

    def __init__(self) -> None:
        self.units: dict[int, UnitRecord] = {}
        self.kept: list[CaptureRecord] = []
        self.failures: dict[str, FailureRecord] = {}

    def failure(self, failure_id: str, /) -> FailureRecord | None:
        return self.failures.get(failure_id)

    def unit(self, unit_id: int, /) -> UnitRecord | None:
        return self.units.get(unit_id)

    def profile(self, unit_id: int, /, runs: Sequence[int] | None = None) -> Profile | None:
        return None

    def captures(
        self, unit_id: int, runs: Sequence[int] | None = None, outcome: str | None = None, limit: int = 20
    ) -> list[CaptureRecord]:
        return [one for one in self.kept if one.unit.id == unit_id and outcome in (None, one.outcome)][:limit]

    def observed_callers(self, unit_id: int, runs: Sequence[int] | None = None) -> list[ObservedEdge]:
        return []

    def observed_callees(self, unit_id: int, runs: Sequence[int] | None = None) -> list[ObservedEdge]:
        return []

    def callers(self, unit_id: int) -> list[tuple[UnitRecord, Edge]]:
        return []

    def callees(self, unit_id: int) -> list[tuple[UnitRecord, Edge]]:
        return []


class Program:
    """A workspace of one module, with calls recorded from it."""

    def __init__(self, root: Path, text: str, path: str = "program.py") -> None:
        self.root = root
        self.path = path
        self.file = root / path
        self.file.write_text(textwrap.dedent(text).lstrip())
        self.index = RecordedIndex()
        self.test = ""
        """In which the calls are said to have been made."""

    @contextlib.contextmanager
    def loaded(self) -> Iterator[Any]:
        name = self.path.removesuffix(".py").replace("/", ".")
        spec = importlib.util.spec_from_file_location(name, self.file)
        assert spec and spec.loader
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        try:
            spec.loader.exec_module(module)
            yield module
        finally:
            del sys.modules[name]

    def record(self, scope: str, *argument_lists: Any, replayable: bool = True, test: str = "") -> str:
        """Call a function once per tuple of arguments. Returns the id of the last failure, "" when there was none."""
        self.test = test
        found = ""
        with self.loaded() as module:
            for arguments in argument_lists:
                if callable(arguments):
                    arguments = arguments(module)
                found = self._call(module, scope, arguments, replayable) or found
        return found

    def _call(self, module: types.ModuleType, scope: str, arguments: tuple[Any, ...], replayable: bool) -> str:
        unit = unit_of(self.root, self.path, scope)
        self.index.units[unit.id] = unit
        function: Any = module
        for part in scope.split("."):
            function = getattr(function, part)
        bound = inspect.signature(function).bind(*arguments)
        bound.apply_defaults()
        encoded = encode_arguments(dict(bound.arguments), (str(self.root),)) if replayable else None
        seen = tuple((name, (o := values.observe(v, name)).type, o.text) for name, v in bound.arguments.items())
        outcome, message, line, result, stack = "", "", 0, None, []
        try:
            returned = function(*arguments)
            if inspect.iscoroutine(returned):
                returned = asyncio.run(returned)
            elif inspect.isgenerator(returned):
                list(returned)
                returned = None
        except Exception as error:
            outcome = classes.type_name(type(error))
            message = values.message_of(error)[0]
            place = error.__traceback__
            while place is not None:
                code = place.tb_frame.f_code
                for value in place.tb_frame.f_locals.values():
                    if inspect.iscoroutine(value):  # what the program forgot to await is not reported as ours
                        value.close()
                if code.co_filename == str(self.file):
                    inner = unit_of(self.root, self.path, code.co_qualname) if "<" not in code.co_qualname else unit
                    self.index.units[inner.id] = inner
                    stack.append((inner.id, self.path, code.co_name, place.tb_lineno, ""))
                    if code.co_name == unit.name:
                        line = place.tb_lineno
                place = place.tb_next
        else:
            observed = values.observe(returned)
            result = (observed.type, observed.text) if not inspect.isgeneratorfunction(function) else None
        number = len(self.index.kept) + 1
        capture = CaptureRecord(
            id=f"c:{number}",
            unit=unit,
            run=1,
            call=str(number),
            started_ns=0,
            duration_ns=0,
            outcome=outcome,
            arguments=seen,
            result=result,
            message=message,
            line=line,
            caller=None,
            test=self.test,
            replay=encoded,
            body_hash="",
        )
        self.index.kept.append(capture)
        if not outcome:
            return ""
        deepest = self.index.units[stack[-1][0]]
        failure = FailureRecord(
            id=f"f:{number}",
            unit=deepest,
            type=outcome,
            message=message,
            line=stack[-1][3],
            statement_hash="",
            n=1,
            calls=number,
            counting="exact",
            last_ns=0,
            origin=True,
            state="fresh",
            stack=tuple(stack),
            tests=(),
            run=1,
        )
        self.index.failures[failure.id] = failure
        return failure.id
