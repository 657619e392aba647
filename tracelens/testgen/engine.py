"""From recorded calls to tests that are worth having: cases, runs in the sandbox, mutants, a file.

For a unit the tests say what it does now; for a failure they fail with the code that failed and pass with the fix.
"""

from __future__ import annotations

import ast
import difflib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tracelens.fix.engine import propose
from tracelens.fix.evidence import FixIndex, Function, find_function
from tracelens.fix.patch import Source, content_hash
from tracelens.replay import sandbox
from tracelens.replay.past import recorded_call
from tracelens.replay.rerun import Outcome, Place, RecordedCall, import_folders, replay
from tracelens.replay.sandbox import NoSandbox, Rung
from tracelens.testgen import place, render
from tracelens.testgen.cases import Case, case_of
from tracelens.testgen.earlier import versions_before
from tracelens.testgen.literals import Unwritable
from tracelens.testgen.minimise import minimised, same, without_environment, without_redactions
from tracelens.testgen.mutants import mutants
from tracelens.testgen.strategies import property_test
from tracelens.testgen.versions import Tried, run_versions
from tracelens_indexer.errors import TraceLensError
from tracelens_indexer.store.answers import CaptureRecord, FailureRecord, UnitRecord
from tracelens_indexer.workspace import is_test

MOST_CALLS = 24
_MOST_MINIMISED = 2
"""Calls whose arguments are made smaller: a second or two each."""
_LONG = 1_000
"""Characters of an encoding that nobody wants to read in a test."""
Progress = Callable[[str], None]
Version = Mapping[str, bytes]


@dataclass(frozen=True, slots=True)
class Tests:
    """What was made, and what was shown of it."""

    unit: UnitRecord
    path: str
    """Of the test file, relative to the workspace."""
    made_for: str
    """Hash of the file that they are appended to; "" for a new file."""
    text: str
    """The whole file."""
    diff: str
    names: tuple[str, ...]
    """Of the tests that are new."""
    calls: tuple[str, ...]
    """Ids of the recorded calls that they were made from."""
    left_out: tuple[tuple[str, str], ...]
    """(call, why no test was made of it)"""
    mutants: int
    noticed: int
    """Mutants that at least one of the tests fails on."""
    fails_before: bool | None
    """Whether they fail with the code that failed; None when there is no such code to run."""
    fix: str
    """What the expected results come from: "" the code as it is, else the title of the proved fix."""
    sandbox: str
    problem: str = ""
    """Why no test was made, as a sentence."""


def generate(
    index: FixIndex,
    unit: UnitRecord,
    root: Path,
    python: str,
    *,
    failure: FailureRecord | None = None,
    most: int = 8,
    progress: Progress = lambda line: None,
    rung: Rung | NoSandbox | None = None,
) -> Tests:
    """Make tests of a unit, or of one of its failures, from recorded calls. Writes nothing.

    most: how many tests. Raises TraceLensError when the unit is not in the source any more.
    """
    source = Source.read(root, unit.path)
    node = find_function(source, unit.scope, unit.ordinal)
    if node is None or is_test(unit.path):
        what = "is not a function in the source now" if node is None else "is a test itself"
        raise TraceLensError(f"{unit.qualname} {what}")
    python = sandbox.real_interpreter(python, root)
    rung = rung if rung is not None else sandbox.probe(python)
    nothing = Tests(unit, "", "", "", "", (), (), (), 0, 0, None, "", "")
    if isinstance(rung, NoSandbox):
        return replace(nothing, problem=f"no sandbox on this machine: {rung.reason}")
    nothing = replace(nothing, sandbox=rung.name)
    captures = index.captures(unit.id, None, failure.type if failure else None, 200)
    calls = _distinct(captures)
    if not calls:
        return replace(nothing, problem=f"no recorded call of {unit.qualname} can be made again")
    work = _Work(root, python, rung, unit, source, node, progress, bool(failure))
    before: Version | None = None
    after: Version = {}
    fix = ""
    if failure is not None:
        found = work.sides(index, failure, calls)
        if isinstance(found, str):
            return replace(nothing, problem=found)
        before, after, fix = found
    if after:
        text = after[unit.path].decode(source.encoding)
        work.source = Source(unit.path, after[unit.path], source.encoding, text)
        node = find_function(work.source, unit.scope, unit.ordinal)
        assert node is not None
        work.node = node
    progress("making the arguments smaller")
    calls = work.readable(calls, before if before is not None else after)
    cases, left_out = work.cases(calls, after)
    nothing = replace(nothing, left_out=tuple(left_out))
    if not cases:
        return replace(nothing, problem=_summary(left_out))
    wrong = mutants(work.source, work.node)
    progress(f"running {len(cases)} tests, and {len(wrong)} wrong versions of {unit.name} against them")
    chosen, more, scored, problem = work.worth(cases, before, after, [content for _, content in wrong], most)
    nothing = replace(nothing, left_out=tuple(left_out + more))
    if problem or not chosen:
        return replace(nothing, problem=problem or _summary(left_out + more))
    made = work.file(chosen, captures, before, after)
    if isinstance(made, str):
        return replace(nothing, problem=made)
    path, made_for, text, diff, names = made
    return replace(
        nothing,
        path=path,
        made_for=made_for,
        text=text,
        diff=diff,
        names=tuple(names),
        calls=tuple(case.id for case in chosen),
        mutants=len(wrong),
        noticed=scored,
        fails_before=None if before is None else True,
        fix=fix,
    )


def generate_property(
    index: FixIndex, unit: UnitRecord, root: Path, python: str, *, rung: Rung | NoSandbox | None = None
) -> tuple[str, str, str]:
    """(path, text, what became of it) of a property test with hypothesis, run once in the sandbox. Writes nothing.

    The last is "passed", or what it found, or why it was not run. Raises TraceLensError when none can be made.
    """
    source = Source.read(root, unit.path)
    node = find_function(source, unit.scope, unit.ordinal)
    if node is None:
        raise TraceLensError(f"{unit.qualname} is not a function in the source now")
    found = [one for one in map(recorded_call, index.captures(unit.id, None, "", 200)) if one is not None]
    try:
        text, name = property_test(unit, node, found)
    except Unwritable as why:
        raise TraceLensError(f"no property test can be made of the recorded calls: {why}") from None
    path = place.new_file(root, unit).replace("_recorded.py", "_properties.py")
    python = sandbox.real_interpreter(python, root)
    rung = rung if rung is not None else sandbox.probe(python)
    if isinstance(rung, NoSandbox):
        return path, text, f"not run: no sandbox on this machine: {rung.reason}"
    folders = import_folders(root, Place(unit.module, unit.path, unit.scope), ())
    tried = run_versions(root, python, path, text, [{}], folders, rung=rung, seconds=60.0)
    if tried.problem or not tried.versions:
        return path, text, f"not run: {tried.problem}"
    said = tried.versions[0]
    return path, text, said.get(name) or f"not run: {said.get('', 'it came to no end')}"


def _distinct(captures: Sequence[CaptureRecord]) -> list[RecordedCall]:
    """Calls with different arguments, the smaller ones first, some of each outcome."""
    found: dict[str, RecordedCall] = {}
    for one in captures:
        call = recorded_call(one)
        if call is not None:
            found.setdefault(json.dumps([call.arguments.get("arguments"), call.outcome]), call)
    ordered = [call for _, call in sorted(found.items(), key=lambda item: len(item[0]))]
    return [without_redactions(call) for call in ordered[:MOST_CALLS]]


def _summary(left_out: Sequence[tuple[str, str]]) -> str:
    reasons = list(dict.fromkeys(why for _, why in left_out))
    return f"no test can be made of the recorded calls: {'; '.join(reasons[:3])}"


@dataclass
class _Work:
    root: Path
    python: str
    rung: Rung
    unit: UnitRecord
    source: Source
    """That the expected results come from."""
    node: Function
    progress: Progress
    of_failure: bool

    @property
    def place(self) -> Place:
        return Place(self.unit.module, self.unit.path, self.unit.scope)

    def again(self, calls: Sequence[RecordedCall], version: Version) -> dict[str, Outcome]:
        return replay(self.root, self.python, self.place, calls, version, rung=self.rung).by_id()

    def sides(
        self, index: FixIndex, failure: FailureRecord, calls: Sequence[RecordedCall]
    ) -> tuple[Version, Version, str] | str:
        """(the code that fails, the code that does not, what makes the difference), or why there are no two sides."""

        def fail(outcomes: Mapping[str, Outcome]) -> bool:
            return bool(outcomes) and any(
                one.kind == "raised" and one.type == failure.type for one in outcomes.values()
            )

        if fail(self.again(calls, {})):
            self.progress("looking for a fix whose results can be expected")
            report = propose(index, failure.id, workspace=self.root, python=self.python, rung=self.rung)
            best = report.best
            if best is None or best.verdict.kind != "fixed" or best.patch.path != self.unit.path:
                return (
                    f"{failure.id} still fails and no fix of it was proved, so that nothing says what to expect. "
                    "Repair it, then ask again"
                )
            return {}, {best.patch.path: best.patch.content}, best.title
        for what, content in versions_before(self.root, self.unit.path):
            version = {self.unit.path: content}
            if fail(self.again(calls, version)):
                return version, {}, f"the code as it is now ({what} fails)"
        return (
            f"{failure.id} does not fail any more, and the code that failed is neither in git's HEAD nor in the ledger"
        )

    def readable(self, calls: Sequence[RecordedCall], version: Version) -> list[RecordedCall]:
        """The calls with smaller arguments: all of a failure, of a unit those that are too long to be read."""
        found: dict[str, RecordedCall] = {}
        shortened = 0
        for call in calls[: _MOST_MINIMISED if self.of_failure else None]:
            size = len(json.dumps(call.arguments.get("arguments")))
            long = size > _LONG and shortened < _MOST_MINIMISED
            shortened += long
            made = minimised(call, lambda some: self.again(some, version)) if long or self.of_failure else call
            found.setdefault(json.dumps(made.arguments.get("arguments")), made)
        return list(found.values())

    def cases(self, calls: Sequence[RecordedCall], after: Version) -> tuple[list[Case], list[tuple[str, str]]]:
        first, second = self.again(calls, after), self.again(calls, after)
        bare = {call.id: less for call in calls if (less := without_environment(call))}
        unset = self.again(list(bare.values()), after) if bare else {}
        cases: list[Case] = []
        left_out: list[tuple[str, str]] = []
        for call in calls:
            outcome = first.get(call.id)
            try:
                if outcome is None:
                    raise Unwritable("it could not be made again")
                repeated = second.get(call.id)
                if repeated is None or (repeated.value, repeated.message) != (outcome.value, outcome.message):
                    raise Unwritable("it goes otherwise each time")
                if outcome.kind == "raised" and not self._on_purpose(outcome):
                    raise Unwritable(f"it fails with {outcome.type}, which no one raises on purpose there")
                needless = call.id in unset and same(outcome, unset[call.id])
                kept = bare[call.id] if needless else call
                cases.append(case_of(self.root, self.source, self.unit, self.node, kept, outcome))
            except Unwritable as why:
                left_out.append((call.id, str(why)))
        return cases, left_out

    def _on_purpose(self, outcome: Outcome) -> bool:
        module = outcome.type.rpartition(".")[0]
        parts = module.split(".")
        own = module and any(
            self.root.joinpath(folder, *parts[:-1], parts[-1] + ".py").exists() for folder in ("", "src")
        )
        raises = {
            line
            for node in ast.walk(self.node)
            if isinstance(node, ast.Raise)
            for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)
        }
        return bool(own) or outcome.line in raises

    def run(self, path: str, text: str, versions: Sequence[Version]) -> Tried:
        folders = import_folders(self.root, self.place, ())
        return run_versions(self.root, self.python, path, text, versions, folders, rung=self.rung)

    def worth(
        self, cases: Sequence[Case], before: Version | None, after: Version, wrong: Sequence[bytes], most: int
    ) -> tuple[list[Case], list[tuple[str, str]], int, str]:
        """(tests worth having, why others are not, mutants that they notice, why nothing could be run)"""
        text, names = render.one_by_one(cases)
        versions: list[Version] = [after, after, *([before] if before is not None else [])]
        versions += [{self.unit.path: content} for content in wrong]
        tried = self.run(place.new_file(self.root, self.unit).replace(".py", "_tried.py"), text, versions)
        if tried.problem or len(tried.versions) != len(versions):
            return [], [], 0, f"the tests could not be run: {tried.problem or 'the sandbox ended early'}"
        right = tried.versions[:2]
        if right[0].get(""):
            return [], [], 0, f"the tests could not be run: {right[0]['']}"
        failed = tried.versions[2] if before is not None else None
        results = tried.versions[len(versions) - len(wrong) :]
        fit: dict[str, Case] = {}
        left_out: list[tuple[str, str]] = []
        for name, case in zip(names, cases, strict=True):
            said = [one.get(name, "it did not end") for one in right]
            if any(one != "passed" for one in said):
                bad = next(one for one in said if one != "passed")
                left_out.append((case.id, f"as a test it fails, perhaps for what it takes from outside ({bad[:160]})"))
            elif failed is not None and failed.get(name, "failed") == "passed":
                left_out.append((case.id, "it passes with the code that failed"))
            else:
                fit[name] = case
        notices = {
            name: frozenset(n for n, one in enumerate(results) if one.get(name, "ended early") != "passed")
            for name in fit
        }
        chosen: list[str] = []
        seen: set[int] = set()
        while len(chosen) < most and len(chosen) < len(fit):
            rest = [name for name in fit if name not in chosen]
            best = max(rest, key=lambda name: len(notices[name] - seen))
            if chosen and not notices[best] - seen:
                break
            chosen.append(best)
            seen |= notices[best]
        left_out += [
            (case.id, "it notices nothing that the others do not") for name, case in fit.items() if name not in chosen
        ]
        return [fit[name] for name in fit if name in chosen], left_out, len(seen), ""

    def file(
        self, chosen: Sequence[Case], captures: Sequence[CaptureRecord], before: Version | None, after: Version
    ) -> tuple[str, str, str, str, list[str]] | str:
        """(path, hash of the file it extends, text, diff, names), run once more as it will stand; or why not."""
        name = render.snake_scope(self.unit.scope)
        about = f"Recorded calls of {self.unit.qualname}."
        own = place.new_file(self.root, self.unit)
        problem = ""
        for path in dict.fromkeys([place.existing_file(self.root, self.unit, captures), own]):
            if not path:
                continue
            there = self.root / path
            content = there.read_bytes() if there.exists() else None
            try:
                old = content.decode() if content is not None else ""
                existing = render.Existing(old, render.style_of(old)) if content is not None else None
                text, names = render.whole(chosen, name, about, existing)
                ast.parse(text)
            except (ValueError, SyntaxError) as error:
                problem = f"{path} cannot be extended: {error}"
                continue
            tried = self.run(path, text, [after, *([before] if before is not None else [])])
            if tried.problem or not tried.versions:
                problem = f"the tests could not be run: {tried.problem}"
                continue
            bad = [f"{test}: {said}" for test, said in _of(names, tried.versions[0]).items() if said != "passed"]
            missing = [one for one in names if not _of([one], tried.versions[0])]
            weak = before is not None and "passed" in _of(names, tried.versions[1]).values()
            if bad or missing or weak:
                problem = (
                    f"in {path} a test fails: {bad[0][:200]}" if bad else f"in {path} a test is not run as it should"
                )
                continue
            diff = "".join(
                difflib.unified_diff(
                    old.splitlines(keepends=True),
                    text.splitlines(keepends=True),
                    f"a/{path}" if content is not None else "/dev/null",
                    f"b/{path}",
                )
            )
            return path, content_hash(content) if content is not None else "", text, diff, names
        return problem or "no test file could be made"


def _of(names: Sequence[str], results: Mapping[str, str]) -> dict[str, str]:
    return {test: said for test, said in results.items() if test.partition("[")[0] in names}
