"""A worklist that can take back what it did: each value, edge and watcher is known by what it was derived from.

Deletion by rederivation. Every value at a node keeps the *parent* that brought it there first, so that the parents form
trees that nothing holds itself up in. When code goes, everything below it in those trees goes; then what another
derivation still supports is put back, and the worklist runs on. A rule that ran for a value (a *firing*) keeps a
journal of what it asked for; several firings may ask for the same, which is counted.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from tracelens_indexer.graph.flowing import NOWHERE
from tracelens_indexer.graph.frames import Frame, Frames
from tracelens_indexer.graph.outside import Call
from tracelens_indexer.graph.values import FUNCTION, KEY, OUTSIDE, Value
from tracelens_indexer.source import flow

if TYPE_CHECKING:
    from tracelens_indexer.graph.program import Program
    from tracelens_indexer.graph.revision import Revision

LASTING: Final = 0
"""The firing of what is never taken back."""
UNKNOWN_PARENT: Final = -1
"""Some firing, which one is not known any more: taken back when any of those that asked for it is."""

_VALUE, _EDGE, _WATCHER, _ONCE, _CALL = range(5)
Journal: TypeAlias = list[tuple[Any, ...]]
"""What a firing asked for: (_VALUE, node, value), (_EDGE, key), (_WATCHER, node, watch), (_ONCE, key) or (_CALL, call).
"""


class Watch:
    """A watcher of a node, and what it did for each value."""

    __slots__ = ("arguments", "made", "method")

    def __init__(self, method: Callable[..., None], arguments: tuple[Any, ...]) -> None:
        self.method = method
        self.arguments = arguments
        self.made: dict[Value, tuple[int, Journal]] = {}
        """Value to the number of the firing and its journal."""


class _Shared:
    """What is done once for all who ask."""

    __slots__ = ("arguments", "asked", "firing", "first", "journal", "method")

    def __init__(self, method: Callable[..., None], arguments: tuple[Any, ...], first: int) -> None:
        self.method = method
        self.arguments = arguments
        self.asked = 0
        self.first = first
        """The firing that asked first."""
        self.firing = 0
        self.journal: Journal = []


class TrackedFrames(Frames):
    """`Frames` whose code can be replaced."""

    def __init__(self, program: Program) -> None:
        self._into: dict[int, set[int]] = {}
        """Node to the nodes that have an edge to it."""
        self._edge_first: dict[int, int] = {}
        self._edge_asked: dict[int, int] = {}
        self._value_asked: dict[int, int] = {}
        """node << 32 | value to the number of firings that brought it."""
        self._shared: dict[Hashable, _Shared] = {}
        self._firings = 0
        self._firing = 0
        self._journal: Journal | None = None
        self._roots: dict[int, tuple[int, Journal]] = {}
        """Frame to what its code asked for."""
        self.capped: set[int] = set()
        """Nodes that came to a bound: what is kept there depends on the order of work."""
        self.touched: set[int] = set()
        """Nodes whose values have changed since it was last cleared."""
        self.exact = True
        """Whether all that was taken back since it was last set was out of reach of any bound."""
        self._gone_values: list[tuple[int, Value]] = []
        self._gone_edges: list[int] = []
        self._gone_shared: list[Hashable] = []
        super().__init__(program)

    def forget(self) -> None:
        super().forget()
        self._shared.clear()
        self._roots.clear()

    # The worklist, keeping parents

    def add(self, node: int, value: Value) -> None:
        journal = self._journal
        arrived = self._arrive(node, value, -2 - (LASTING if journal is None else self._firing))
        if arrived >= 0:
            key = node << 32 | arrived
            self._value_asked[key] = self._value_asked.get(key, 0) + 1
            if journal is not None:
                journal.append((_VALUE, node, arrived))

    def _arrive(self, node: int, value: Value, parent: int) -> Value:
        """The value that is there now for it, or -1 when there are too many."""
        known = self._at[node]
        if known is None:
            self._at[node] = {value: parent}
        elif value in known:
            return value
        else:
            if len(known) >= self._most_with_outside:
                form = self.values.forms[value]
                if form in OUTSIDE or (len(known) >= self.most_values and form != KEY):
                    self._cap(node)
                    self.overflowed.add(node)
                    return -1
            known[value] = parent
        self.touched.add(node)
        waiting = self._new.get(node)
        if waiting is None:
            self._new[node] = [value]
            self._open.append(node)
        else:
            waiting.append(value)
        return value

    def _crowd(self, unit: int) -> None:
        super()._crowd(unit)
        self.exact = False

    def _cap(self, node: int) -> None:
        self.capped.add(node)
        self.exact = False

    def edge(self, start: int, end: int) -> None:
        if start == end or end == NOWHERE:
            return
        key = start << 32 | end
        asked = self._edge_asked.get(key, 0)
        self._edge_asked[key] = asked + 1
        if self._journal is not None:
            self._journal.append((_EDGE, key))
        if not asked:
            self._edge_first[key] = LASTING if self._journal is None else self._firing
            self._connect(start, end)

    def _connect(self, start: int, end: int) -> None:
        edges = self._edges[start]
        if edges is None:
            self._edges[start] = [end]
        else:
            edges.append(end)
        into = self._into.get(end)
        if into is None:
            self._into[end] = {start}
        else:
            into.add(start)
        values = self._at[start]
        if values:
            for value in tuple(values):
                self._arrive(end, value, start)

    def watch(self, node: int, method: Callable[..., None], *arguments: Any) -> None:
        watch = Watch(method, arguments)
        watchers = self._watchers[node]
        if watchers is None:
            self._watchers[node] = [watch]
        else:
            watchers.append(watch)
        if self._journal is not None:
            self._journal.append((_WATCHER, node, watch))
        here = self._at[node]
        if here:
            waiting = self._new.get(node, ())
            for value in tuple(here):
                if value not in waiting:
                    self._todo.append((watch, value))

    def once(self, key: Hashable, method: Callable[..., None], *arguments: Any) -> None:
        shared = self._shared.get(key)
        if shared is None:
            first = LASTING if self._journal is None else self._firing
            shared = self._shared[key] = _Shared(method, arguments, first)
        shared.asked += 1
        if self._journal is not None:
            self._journal.append((_ONCE, key))
        if shared.asked == 1:
            self._do_shared(shared)

    def _do_shared(self, shared: _Shared) -> None:
        shared.firing, shared.journal = self._fired(shared.method, shared.arguments)

    def lasting(self, method: Callable[..., None], *arguments: Any) -> None:
        journal, self._journal = self._journal, None
        method(*arguments)
        self._journal = journal

    def _made(self, call: Call) -> None:
        if self._journal is not None:
            self._journal.append((_CALL, call))

    def _fired(self, method: Callable[..., None], arguments: tuple[Any, ...]) -> tuple[int, Journal]:
        """Do something whose effects may be taken back: the number of the firing, and its journal."""
        before = self._firing, self._journal
        self._firings += 1
        firing = self._firing = self._firings
        journal = self._journal = []
        method(*arguments)
        self._firing, self._journal = before
        return firing, journal

    def run(self, budget: int) -> None:
        new, open_, todo = self._new, self._open, self._todo
        steps = 0
        while open_ or todo:
            if steps > budget:
                self.exhausted = True
                self.exact = False
                break
            while todo and steps <= budget:
                watch, value = todo.popleft()
                self._fire(watch, value)
                steps += 1
            if not open_:
                continue
            node = open_.popleft()
            arrived = new.pop(node)
            edges = self._edges[node]
            if edges is not None:
                steps += len(edges) * len(arrived)
                for end in tuple(edges):
                    for value in arrived:
                        self._arrive(end, value, node)
            watchers = self._watchers[node]
            if watchers is not None:
                steps += len(watchers) * len(arrived)
                for watch in tuple(watchers):
                    for value in arrived:
                        self._fire(watch, value)

    def _fire(self, watch: Watch, value: Value) -> None:
        firing, journal = self._fired(watch.method, (value, *watch.arguments))
        if journal:
            watch.made[value] = (firing, journal)

    # Code that is replaced

    def _fill_plain(self, frame: int) -> None:
        self._roots[frame] = self._fired(self._fill, (frame,))

    def replace(self, revision: Revision, budget: int) -> None:
        """Run on with the code that the program has now; what follows from the old code alone goes."""
        gone, new = revision.gone, revision.new
        changed = revision.bodies | revision.inner | gone
        handed_on = {unit: self.hands_on(unit) for unit in revision.bodies if unit in self._hands_on}
        again: list[int] = []
        for number, frame in enumerate(self._frames):
            if frame.unit not in changed:
                continue
            shared = self._shared.get(("frame", number))
            if number in self._roots:
                self._take_back(*self._roots[number])
            elif shared is not None and shared.firing:
                firing, shared.firing = shared.firing, 0
                self._take_back(firing, shared.journal)
                self._gone_shared.append(("frame", number))
            again.append(number)
        for unit in changed:
            self._hands_on.pop(unit, None)
            self._shapes.pop(unit, None)
        reshaped = revision.reshaped | {unit for unit, before in handed_on.items() if self.hands_on(unit) != before}
        for unit in reshaped:
            self._take_back_function(unit)
        kept = revision.bodies - reshaped
        for number in again:
            self._renew(self._frames[number], keep_ends=self._frames[number].unit in kept)
        for unit in new:
            self._plain[unit] = self._reserve(unit, self._plain[self.program.parent(unit)], 0)
        for number in again:
            if number in self._roots and self._frames[number].unit not in gone:
                self._fill_plain(number)
        for unit in new:
            self._fill_plain(self._plain[unit])
        self._put_back()
        self.run(budget)

    def _take_back_function(self, unit: int) -> None:
        """Take back a function where it is defined; it is put back there, and met anew by all that call it."""
        parent = self.program.parent(unit)
        file, _ = self.program.source(parent)
        for number, frame in enumerate(self._frames):
            if frame.unit == parent:
                value = self.values.number(FUNCTION, unit, number)
                for at, parts in enumerate(self.program.code(parent), frame.base):
                    if parts[0] == flow.DEFINITION and file.units[parts[1]] == unit:
                        self._settle([(-1 - at, value)])

    def _renew(self, frame: Frame, *, keep_ends: bool) -> None:
        """New nodes for the code of a frame; `keep_ends`: where callers know its parameters and what it returns."""
        count = len(self.program.code(frame.unit))
        frame.base = self.new_nodes(count + 2)
        if not keep_ends:
            frame.entry, frame.exit = frame.base, frame.base + count

    # Taking back

    def _take_back(self, firing: int, journal: Journal) -> None:
        self._settle([(firing, journal)])

    def _settle(self, pending: list[tuple[int, Any]]) -> None:
        """Take back all of: (firing, its journal), or (-1 - node, a value that goes there)."""
        while pending:
            who, what = pending.pop()
            if who < 0:
                self._remove_value(-1 - who, what, pending)
                continue
            for entry in what:
                kind = entry[0]
                if kind == _VALUE:
                    self._forget_value(who, entry[1], entry[2], pending)
                elif kind == _EDGE:
                    self._forget_edge(who, entry[1], pending)
                elif kind == _WATCHER:
                    watchers = self._watchers[entry[1]]
                    if watchers is not None:
                        watchers.remove(entry[2])
                    pending += entry[2].made.values()
                elif kind == _ONCE:
                    self._forget_shared(who, entry[1], pending)
                else:
                    entry[1].live = False

    def _forget_value(self, firing: int, node: int, value: Value, pending: list[tuple[int, Any]]) -> None:
        key = node << 32 | value
        asked = self._value_asked[key] - 1
        if asked:
            self._value_asked[key] = asked
        else:
            del self._value_asked[key]
        known = self._at[node]
        parent = known.get(value) if known is not None else None
        if parent is not None and parent in (-2 - firing, UNKNOWN_PARENT):
            pending.append((-1 - node, value))

    def _remove_value(self, node: int, value: Value, pending: list[tuple[int, Any]]) -> None:
        known = self._at[node]
        if known is None or value not in known:
            return
        del known[value]
        self.touched.add(node)
        self._gone_values.append((node, value))
        if node in self.capped:
            self.exact = False
        for end in self._edges[node] or ():
            there = self._at[end]
            if there is None:
                continue
            if there.get(value) == node:
                pending.append((-1 - end, value))
            elif end in self.capped:
                self.exact = False
        for watch in self._watchers[node] or ():
            made = watch.made.pop(value, None)
            if made is not None:
                pending.append(made)

    def _forget_edge(self, firing: int, key: int, pending: list[tuple[int, Any]]) -> None:
        asked = self._edge_asked[key] = self._edge_asked[key] - 1
        first = self._edge_first[key]
        if asked and first not in (firing, UNKNOWN_PARENT):
            return
        start, end = key >> 32, key & 0xFFFFFFFF
        into = self._into.get(end)
        if into is None or start not in into:
            return
        into.discard(start)
        edges = self._edges[start]
        if edges is not None:
            edges.remove(end)
        self._gone_edges.append(key)
        there = self._at[end]
        if there:
            if end in self.capped:
                self.exact = False
            for value, parent in there.items():
                if parent == start:
                    pending.append((-1 - end, value))

    def _forget_shared(self, firing: int, key: Hashable, pending: list[tuple[int, Any]]) -> None:
        shared = self._shared[key]
        shared.asked -= 1
        if isinstance(key, tuple) and key[0] == "frame" and self._frames[key[1]].unit in self.crowded:
            self.exact = False
        if shared.asked and shared.first not in (firing, UNKNOWN_PARENT):
            return
        if shared.firing:
            pending.append((shared.firing, shared.journal))
            shared.firing, shared.journal = 0, []
            self._gone_shared.append(key)

    def _put_back(self) -> None:
        """Restore what went but still has a derivation among what stayed."""
        edges, shared, values = self._gone_edges, self._gone_shared, self._gone_values
        self._gone_edges, self._gone_shared, self._gone_values = [], [], []
        for key in edges:
            start, end = key >> 32, key & 0xFFFFFFFF
            if self._edge_asked.get(key) and start not in self._into.get(end, ()):
                self._edge_first[key] = UNKNOWN_PARENT
                self._connect(start, end)
            elif not self._edge_asked.get(key):
                self._edge_asked.pop(key, None)
                self._edge_first.pop(key, None)
        for name in shared:
            one = self._shared[name]
            if not one.asked:
                self._shared.pop(name, None)
            elif not one.firing:
                one.first = UNKNOWN_PARENT
                self._do_shared(one)
        for node, value in values:
            known = self._at[node]
            if known is not None and value in known:
                continue
            if self._value_asked.get(node << 32 | value):
                self._arrive(node, value, UNKNOWN_PARENT)
                continue
            for start in self._into.get(node, ()):
                before = self._at[start]
                if before and value in before:
                    self._arrive(node, value, start)
                    break
