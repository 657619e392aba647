"""What has arrived at each callee, as edges of the call graph and one resolution for every call site.

What a call of a value means:
- a function, method or lambda: that unit;
- a class: its `__init__` (and `__new__`) as found along its MRO, when the workspace has one; the class unit itself when
  it has none (a dataclass, an exception, a class whose base is not in the workspace);
- an instance: its class's `__call__`;
- `super().name`: the next `name` along the MRO of what the method was called on.
An edge is "likely", not "certain", when only an annotation or a computed name led to it, and when the call has several
possible targets or also values that are not known. Where only an annotation, or the class around, says what a method is
called on, the methods that subclasses have in its place are as likely.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from tracelens_indexer.graph.attributes import Place
from tracelens_indexer.graph.classes import DYNAMIC_BASE
from tracelens_indexer.graph.frames import Frames
from tracelens_indexer.graph.links import Edge, FileLinks, Resolution
from tracelens_indexer.graph.outside import Call
from tracelens_indexer.graph.program import File, Program
from tracelens_indexer.graph.values import (
    BUILT,
    BUILTIN,
    CLASS,
    CONTAINER,
    EXTERNAL,
    FAMILY,
    INSTANCE,
    METHOD,
    OF_CONTAINER,
    OUTCOME,
    PARTIAL,
    UNKNOWN,
    Value,
)
from tracelens_indexer.source import flow

MAX_TARGETS: Final = 40
"""Units that one call site may mean; more are too many to say anything."""


class Outcome:
    """Reads edges and resolutions off nodes to which nothing new comes."""

    def __init__(self, program: Program, frames: Frames) -> None:
        self._program = program
        self._frames = frames
        self._values = frames.values
        self._called: dict[Value, tuple[int, ...]] = {}

    def of_file(self, file: File, calls: Iterable[Call]) -> FileLinks:
        """The links of one file, from all calls whose place is in it."""
        program, frames, values = self._program, self._frames, self._values
        ids = program.ids
        edges: list[Edge] = []
        resolutions: list[Resolution] = []
        by_place: dict[Place, dict[int, bool]] = {}
        too_many: set[Place] = set()
        families: set[Place] = set()
        for call in calls:
            here = frames.at(call.callee)
            if not here or not call.live:
                continue
            targets = self._targets(here, call.of_self)
            if any(values.forms[value] == FAMILY for value in here):
                families.add(call.place)
            if targets:
                known = by_place.setdefault(call.place, {})
                for unit, likely in targets.items():
                    known[unit] = known.get(unit, True) and likely
        for place, targets in by_place.items():
            if len(targets) > MAX_TARGETS and place not in families:
                too_many.add(place)
                continue
            caller, line, column, kind = place
            if file.moved:
                line, column = file.moved.get((caller, line, column), (line, column))
            for unit, likely in targets.items():
                edges.append(Edge(ids[caller], ids[unit], kind, line, column, "likely" if likely else "certain"))
        for index, site in enumerate(file.facts.sites):
            written, its = file.kept_sites.get(index, (file, index))
            old = written.facts.sites[its]
            place = (file.units[site.unit], old.line, old.column, "call")
            numbers = frames.site_calls.get((written, its), ())
            callees = [frames.calls[number].callee for number in numbers if frames.calls[number].live]
            resolutions.append(
                self._resolution(file, index, (written, its), callees, place in too_many, by_place.get(place))
            )
        edges.sort(key=lambda edge: (edge.line, edge.column, edge.kind, edge.callee, edge.caller))
        return FileLinks(tuple(edges), tuple(resolutions))

    def _targets(self, here: Iterable[Value], of_self: bool) -> dict[int, bool]:
        """Unit to whether it is only likely."""
        strong: dict[tuple[int, ...], None] = {}
        weak: dict[int, bool] = {}
        open_ = False
        for value in here:
            units = self._units(value)
            if value & 1:
                weak |= dict.fromkeys(units, True)
            elif units:
                strong[units] = None
            else:
                open_ = True
        if not strong:
            # A method of `self` that no subclass has is the one, whatever class `self` is of.
            return dict.fromkeys(weak, False) if of_self and len(weak) == 1 else weak
        if of_self and len(weak) > 1:
            # What arrives need not be all that there is.
            return weak | dict.fromkeys((unit for units in strong for unit in units), True)
        if len(strong) == 1:
            return dict.fromkeys(next(iter(strong)), open_)
        return dict.fromkeys((unit for units in strong for unit in units), True)

    def _units(self, value: Value) -> tuple[int, ...]:
        """The units that calling a value runs; of a likely value, what subclasses have in their place too."""
        known = self._called.get(value)
        if known is None:
            found = [unit for unit, _ in self._frames.targets(value)]
            if value & 1:
                found += self._frames.overriding(value)
            known = self._called[value] = tuple(found)
        return known

    def forget_units(self) -> None:
        """Ask again what calling a value runs: what is at the nodes has changed."""
        self._called.clear()

    def _resolution(
        self,
        file: File,
        index: int,
        written: tuple[File, int],
        callees: list[int],
        too_many: bool,
        targets: dict[int, bool] | None,
    ) -> Resolution:
        """`written`: the version of the file that the call's code is read from, and the site's index in it."""
        frames, values = self._frames, self._values
        site = file.facts.sites[index]
        here: set[Value] = set()
        overflowed = too_many
        for callee in callees:
            here.update(frames.at(callee))
            overflowed = overflowed or callee in frames.overflowed
        externals: set[str] = set()
        reasons: set[str] = set()
        for value in here:
            form = values.forms[value]
            if form == EXTERNAL:
                externals.add(values.name(value))
            elif form == OUTCOME:
                externals.add(self._attribute_of(values.name(value), site.callee))
            elif form == BUILTIN:
                externals.add(f"builtins.{values.name(value)}")
            elif form == OF_CONTAINER:
                _, name, owner = values.payload(value)
                kind = frames.kind(int(owner)) if values.forms[int(owner)] == CONTAINER else "generator"
                externals.add(f"builtins.{kind}.{name}")
            elif form == METHOD and values.forms[values.first(value)] == BUILTIN:
                externals.add(f"builtins.{values.name(values.first(value))}")
            elif form == PARTIAL:
                externals.add("functools.partial")
            elif form in (BUILT, CONTAINER):
                reasons.add("not callable")
            elif form == CLASS:
                outside = frames.classes.outside(frames.classes.order(values.first(value)))
                own = frames.member(values.first(value), "__init__")
                if outside and outside != DYNAMIC_BASE and own is None and not outside.startswith("builtins."):
                    externals.add(f"{outside}.__init__")
            elif form == UNKNOWN:
                reasons.add(values.name(value))
            elif form == INSTANCE and not frames.targets(value):
                outside = frames.classes.outside(frames.classes.order(values.first(value)))
                if outside and outside != DYNAMIC_BASE:
                    externals.add(outside)
                else:
                    reasons.add("dynamic value")
        caller = self._program.ids[file.units[site.unit]]
        names = tuple(sorted(externals))
        if targets and not too_many:
            return Resolution(caller, site.line, site.column, site.callee, "resolved", "", names)
        reason = min(reasons, default="")
        if overflowed:
            reason = "too many candidates"
        elif names:
            first = names[0].partition(".")[0]
            why = "builtin" if first == "builtins" else f"module {self._module(file, names[0])}"
            return Resolution(caller, site.line, site.column, site.callee, "external", why, names)
        reason = reason or self._why(written, callees)
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

    def _why(self, written: tuple[File, int], callees: list[int]) -> str:
        """Why nothing at all has arrived at a callee."""
        if not callees:
            file, index = written
            return "never runs" if any([flow.NEVER, index] in code for code in file.flow.code.values()) else "too deep"
        parts = self._code_of(*written)
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
