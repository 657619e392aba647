"""Linking: the facts of all files to edges between units and one resolution for every call site.

A function of all facts, in three steps: every unit's code becomes nodes and edges (graph/frames.py); values go along
them until nothing is new (graph/flowing.py); what has arrived at each callee becomes edges of the call graph. The order
of the input does not matter.

What a call of a value means:
- a function, method or lambda: that unit;
- a class: its `__init__` (and `__new__`) as found along its MRO, when the workspace has one; the class unit itself when
  it has none (a dataclass, an exception, a class whose base is not in the workspace);
- an instance: its class's `__call__`;
- `super().name`: the next `name` along the MRO of what the method was called on.
An edge is "likely", not "certain", when only an annotation or a computed name led to it, and when the call has several
possible targets or also values that are not known.
"""

from __future__ import annotations

from collections.abc import Mapping

from tracelens_indexer.graph.classes import DYNAMIC_BASE
from tracelens_indexer.graph.flowing import MOST_WORK, WORK_PER_NODE
from tracelens_indexer.graph.frames import Frames
from tracelens_indexer.graph.links import Confidence, Edge, Links, Resolution
from tracelens_indexer.graph.program import File, Program
from tracelens_indexer.graph.values import (
    BUILT,
    BUILTIN,
    CLASS,
    CONTAINER,
    EXTERNAL,
    INSTANCE,
    METHOD,
    OF_CONTAINER,
    OUTCOME,
    PARTIAL,
    UNKNOWN,
    Value,
)
from tracelens_indexer.memory import without_collection
from tracelens_indexer.source import flow
from tracelens_indexer.source.facts import FileFacts

MAX_TARGETS = 40
"""Units that one call site may mean; more are too many to say anything."""
MIN_WORK = 200_000


def link(files: Mapping[str, tuple[str, FileFacts]]) -> Links:
    """Link a workspace. `files`: path to (module, facts); edges and resolutions come ordered by path and place."""
    with without_collection():
        program = Program(files)
        frames = Frames(program)
        frames.run(min(MOST_WORK, max(MIN_WORK, WORK_PER_NODE * frames.size)))
        return _Outcome(program, frames).links()


class _Outcome:
    """Reads edges and resolutions off nodes to which nothing new comes."""

    def __init__(self, program: Program, frames: Frames) -> None:
        self._program = program
        self._frames = frames
        self._values = frames.values

    def links(self) -> Links:
        program, frames = self._program, self._frames
        ids = program.ids
        found: dict[int, list[Edge]] = {}
        resolutions: list[Resolution] = []
        by_place: dict[tuple[int, int, int, str], dict[int, bool]] = {}
        too_many: set[tuple[int, int, int, str]] = set()
        for call in frames.calls:
            here = frames.at(call.callee)
            if not here:
                continue
            targets = self._targets(here, call.callee)
            if targets:
                known = by_place.setdefault(call.place, {})
                for unit, likely in targets.items():
                    known[unit] = known.get(unit, True) and likely
        for place, targets in by_place.items():
            if len(targets) > MAX_TARGETS:
                too_many.add(place)
                continue
            caller, line, column, kind = place
            edges = found.setdefault(program.file_of[caller], [])
            for unit in sorted(targets):
                confidence: Confidence = "likely" if targets[unit] else "certain"
                edges.append(Edge(ids[caller], ids[unit], kind, line, column, confidence))  # type: ignore[arg-type]
        for number, file in enumerate(program.files):
            for index, site in enumerate(file.facts.sites):
                place = (file.first_unit + site.unit, site.line, site.column, "call")
                resolutions.append(self._resolution(number, file, index, place in too_many, by_place.get(place)))
        ordered = tuple(
            edge
            for number in range(len(program.files))
            for edge in sorted(found.get(number, ()), key=lambda e: (e.line, e.column, e.kind, e.callee))
        )
        return Links(ordered, tuple(resolutions), frames.exhausted)

    def _targets(self, here: set[Value], callee: int) -> dict[int, bool]:
        """Unit to whether it is only likely."""
        strong: dict[int, bool] = {}
        weak: dict[int, bool] = {}
        calls = 0
        for value in sorted(here):
            units = [unit for unit, _ in self._frames.targets(value)]
            if value & 1:
                weak |= dict.fromkeys(units + self._frames.overriding(value), True)
            else:
                strong |= dict.fromkeys(units, False)
                calls += 1
        if not strong:
            if len(weak) == 1 and self._frames.is_of_self(callee):
                return dict.fromkeys(weak, False)  # whatever class `self` is of
            return weak
        if len(strong) > 1 and len({value for value in here if not value & 1}) > 1:
            groups = {tuple(unit for unit, _ in self._frames.targets(value)) for value in here if not value & 1}
            if len(groups) > 1:
                return dict.fromkeys(strong, True)
        elif calls > 1:
            return dict.fromkeys(strong, self._open(here))
        return strong

    def _open(self, here: set[Value]) -> bool:
        """Whether some of the values that arrive are not of the workspace, or not known."""
        return any(not value & 1 and not self._frames.targets(value) for value in here)

    def _resolution(
        self, number: int, file: File, index: int, too_many: bool, targets: dict[int, bool] | None
    ) -> Resolution:
        frames, values = self._frames, self._values
        site = file.facts.sites[index]
        here: set[Value] = set()
        overflowed = too_many
        callees = [frames.calls[call].callee for call in frames.site_nodes[number].get(index, ())]
        for callee in callees:
            here |= frames.at(callee)
            overflowed = overflowed or callee in frames.overflowed
        externals: dict[str, None] = {}
        reason = ""
        for value in sorted(here):
            form = values.forms[value]
            if form == EXTERNAL:
                externals[values.name(value)] = None
            elif form == OUTCOME:
                externals[self._attribute_of(values.name(value), site.callee)] = None
            elif form == BUILTIN:
                externals[f"builtins.{values.name(value)}"] = None
            elif form == OF_CONTAINER:
                _, name, owner = values.payload(value)
                kind = frames.kind(int(owner)) if values.forms[int(owner)] == CONTAINER else "generator"
                externals[f"builtins.{kind}.{name}"] = None
            elif form == METHOD and values.forms[values.first(value)] == BUILTIN:
                externals[f"builtins.{values.name(values.first(value))}"] = None
            elif form == PARTIAL:
                externals["functools.partial"] = None
            elif form in (BUILT, CONTAINER):
                reason = reason or "not callable"
            elif form == CLASS:
                outside = frames.classes.outside(frames.classes.order(values.first(value)))
                own = frames.member(values.first(value), "__init__")
                if outside and outside != DYNAMIC_BASE and own is None and not outside.startswith("builtins."):
                    externals[f"{outside}.__init__"] = None
            elif form == UNKNOWN:
                reason = reason or values.name(value)
            elif form == INSTANCE and not frames.targets(value):
                outside = frames.classes.outside(frames.classes.order(values.first(value)))
                if outside and outside != DYNAMIC_BASE:
                    externals[outside] = None
                else:
                    reason = reason or "dynamic value"
        caller = self._program.ids[file.first_unit + site.unit]
        names = tuple(externals)
        if targets and not too_many:
            return Resolution(caller, site.line, site.column, site.callee, "resolved", "", names)
        if overflowed:
            reason = "too many candidates"
        elif names:
            first = names[0].partition(".")[0]
            why = "builtin" if first == "builtins" else f"module {self._module(file, names[0])}"
            return Resolution(caller, site.line, site.column, site.callee, "external", why, names)
        reason = reason or self._why(file, index, callees)
        return Resolution(caller, site.line, site.column, site.callee, "unresolved", reason, names)

    @staticmethod
    def _attribute_of(name: str, callee: str) -> str:
        """What is called on something that came from outside: its attribute, as the source writes it."""
        attribute = callee.rpartition(".")[2]
        if "." not in callee or not attribute.isidentifier() or name.endswith(f".{attribute}"):
            return name
        return f"{name}.{attribute}"

    def _module(self, file: File, name: str) -> str:
        """The distribution-like part of an external name: its first, unless that part is of the workspace."""
        first = name.partition(".")[0]
        return first if self._program.modules.absolute(file.path, first) is None else ".".join(name.split(".")[:-1])

    def _why(self, file: File, index: int, callees: list[int]) -> str:
        """Why nothing at all has arrived at a callee."""
        if not callees:
            return "too deep"
        parts = self._code_of(file, index)
        if parts is None:
            return "dynamic value"
        code, node = parts
        form = code[node][0]
        if form == flow.PARAMETER:
            return "parameter"
        if form == flow.ATTRIBUTE:
            offset = callees[0] - node
            return "attribute not found" if self._frames.at(offset + code[node][1]) else "dynamic attribute"
        return "dynamic value"

    def _code_of(self, file: File, index: int) -> tuple[list[flow.Node], int] | None:
        unit = file.facts.sites[index].unit
        code = file.flow.code.get(file.flow.owners.get(unit, unit), [])
        for parts in code:
            if parts[0] == flow.CALL and parts[1] == index:
                return code, parts[2]
        return None
