"""The worklist: nodes, the values that have arrived at them, and what is to be done for each value that arrives.

Inclusion constraints, solved by differences: a value goes along each edge and meets each watcher of a node once. All
of it only grows, so that the result does not depend on the order in which it is found, as long as no bound is hit.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable
from typing import Any, Final, TypeAlias

from tracelens_indexer.graph.values import KEY, OUTSIDE, Value, Values

Watcher: TypeAlias = Any
"""(method, argument…): called with the value and the arguments. Tracking keeps more of each."""

NOWHERE: Final = 0
"""The node for what nobody reads."""
MAX_VALUES: Final = ((500_000, 32), (1_000_000, 16), (1 << 62, 6))
"""(nodes of a program, values of one of its nodes). What many may reach is shared by more in a larger program: with the
same bound the work would grow with the square of the size, and end before it is done."""
MAX_WITH_OUTSIDE: Final = 8
"""Values of one node from which on it takes no more that nothing of the workspace can come out of."""
WORK_PER_NODE: Final = 25
"""Steps for each node that the program has before any is made: a bound on the whole."""
MOST_WORK: Final = 12_000_000
"""Steps in all, whatever the size: each costs up to a few hundred bytes, and an index must fit beside an editor."""


def values_allowed(nodes: int) -> int:
    """How many values a node may have, in a program of so many."""
    return next(values for most, values in MAX_VALUES if nodes <= most)


class Flowing:
    """Nodes and edges, and the work that is left."""

    def __init__(self, most_values: int) -> None:
        self.values = Values()
        self.most_values = most_values
        """Values that one node takes."""
        self._most_with_outside = min(MAX_WITH_OUTSIDE, most_values)
        self._at: list[dict[Value, int] | None] = [None]
        """The values at each node, in the order in which they arrived."""
        self._edges: list[list[int] | None] = [None]
        self._watchers: list[list[Watcher] | None] = [None]
        self._known_edges: set[int] = set()
        self._new: dict[int, list[Value]] = {}
        """Values that have arrived at a node and have not gone on."""
        self._open: deque[int] = deque()
        self._todo: deque[tuple[Watcher, Value]] = deque()
        self._done: set[Hashable] = set()
        self.overflowed: set[int] = set()
        """Nodes whose values are more than can be followed."""
        self.exhausted = False
        """Whether the work came to its bound."""

    def new_nodes(self, count: int) -> int:
        """The first of `count` new nodes."""
        first = len(self._at)
        self._at += [None] * count
        self._edges += [None] * count
        self._watchers += [None] * count
        return first

    @property
    def size(self) -> int:
        """Nodes so far."""
        return len(self._at)

    def at(self, node: int) -> dict[Value, int]:
        """The values that have arrived at a node, as keys."""
        return self._at[node] or {}

    def add(self, node: int, value: Value) -> None:
        known = self._at[node]
        if known is None:
            self._at[node] = {value: 0}
        elif value in known:
            return
        else:
            if len(known) >= self._most_with_outside:
                form = self.values.forms[value]
                if form in OUTSIDE or (len(known) >= self.most_values and form != KEY):
                    self.overflowed.add(node)
                    return
            known[value] = 0
        waiting = self._new.get(node)
        if waiting is None:
            self._new[node] = [value]
            self._open.append(node)
        else:
            waiting.append(value)

    def edge(self, start: int, end: int) -> None:
        """Let the values of one node be values of another."""
        if start == end or end == NOWHERE:
            return
        key = start << 32 | end
        if key in self._known_edges:
            return
        self._known_edges.add(key)
        edges = self._edges[start]
        if edges is None:
            self._edges[start] = [end]
        else:
            edges.append(end)
        values = self._at[start]
        if values:
            for value in tuple(values):
                self.add(end, value)

    def watch(self, node: int, method: Callable[..., None], *arguments: Any) -> None:
        """Have `method(value, *arguments)` called once for every value of a node, now or later."""
        watcher = (method, *arguments)
        watchers = self._watchers[node]
        if watchers is None:
            self._watchers[node] = [watcher]
        else:
            watchers.append(watcher)
        here = self._at[node]
        if here:
            waiting = self._new.get(node, ())
            for value in tuple(here):
                if value not in waiting:
                    self._todo.append((watcher, value))

    def once(self, key: Hashable, method: Callable[..., None], *arguments: Any) -> None:
        """Do what several rules may ask for, the first time one does."""
        if key not in self._done:
            self._done.add(key)
            method(*arguments)

    def lasting(self, method: Callable[..., None], *arguments: Any) -> None:
        """Do what stays right whatever becomes of the rule that needed it: it means nothing until values arrive."""
        method(*arguments)

    def forget(self) -> None:
        """Let go of the rules, which hold what holds them, and would wait for the collector of garbage."""
        self._watchers.clear()
        self._todo.clear()

    def run(self, budget: int) -> None:
        """Work until nothing is left, or for `budget` steps."""
        new, open_, todo, add = self._new, self._open, self._todo, self.add
        all_at, all_edges, all_watchers = self._at, self._edges, self._watchers
        most_at_once = self._most_with_outside
        steps = 0
        while open_ or todo:
            if steps > budget:
                self.exhausted = True
                break
            while todo and steps <= budget:
                watcher, value = todo.popleft()
                watcher[0](value, *watcher[1:])
                steps += 1
            if not open_:
                continue
            node = open_.popleft()
            arrived = new.pop(node)
            edges = all_edges[node]
            if edges is not None:
                steps += len(edges) * len(arrived)
                few = len(arrived) <= most_at_once
                for end in edges:
                    there = all_at[end]
                    if there is None:
                        if few:
                            all_at[end] = dict.fromkeys(arrived, 0)
                            new[end] = arrived.copy()
                            open_.append(end)
                        else:
                            for value in arrived:
                                add(end, value)
                    else:
                        for value in arrived:
                            if value not in there:
                                add(end, value)
            watchers = all_watchers[node]
            if watchers is not None:
                steps += len(watchers) * len(arrived)
                # A watcher may add watchers to this node; those see what is here by themselves.
                for watcher in tuple(watchers):
                    method = watcher[0]
                    arguments = watcher[1:]
                    for value in arrived:
                        method(value, *arguments)
