"""The worklist: nodes, the values that have arrived at them, and what is to be done for each value that arrives.

Inclusion constraints, solved by differences: a value goes along each edge and meets each watcher of a node once. All
of it only grows, so that the result does not depend on the order in which it is found, as long as no bound is hit.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Hashable
from typing import Any, Final, TypeAlias

from tracelens_indexer.graph.values import KEY, OUTSIDE, Value, Values

Watcher: TypeAlias = Any
"""(method, argument…): called with the value and the arguments. Tracking keeps more of each."""

NOWHERE: Final = 0
"""The node for what nobody reads."""
MAX_VALUES: tuple[tuple[int, int], ...] = ((500_000, 32), (1_000_000, 16), (1 << 62, 6))
"""(nodes of a program, values of one of its nodes). What many may reach is shared by more in a larger program: with the
same bound the work would grow with the square of the size, and end before it is done. Not final: when it is compiled, a
test could not make it small."""
MAX_WITH_OUTSIDE: Final = 8
"""Values of one node from which on it takes no more that nothing of the workspace can come out of."""
FEW: Final = 8
"""Values, edges or watchers that a node keeps in a tuple; not below MAX_WITH_OUTSIDE."""
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
        self._at: list[Any] = [None]
        """The values at each node, in the order in which they arrived: None, a tuple that nodes share, or the keys of a
        dictionary where they are more than a few. Most nodes have one. Tracking has dictionaries alone: each value with
        where it came from."""
        self._edges: list[Any] = [None]
        """The nodes that each node's values go on to: None, a tuple, or the keys of a dictionary."""
        self._watchers: list[Any] = [None]
        """Those of each node: None, a tuple, or a list."""
        self._single: dict[Value, tuple[Value, ...]] = {}
        """The tuple of each value that stood alone somewhere."""
        self._new: dict[int, Any] = {}
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

    def at(self, node: int) -> Collection[Value]:
        """The values that have arrived at a node."""
        return self._at[node] or ()

    def add(self, node: int, value: Value) -> None:
        known = self._at[node]
        if known is not None and value in known:
            return
        single = self._single.get(value)
        if single is None:
            single = self._single[value] = (value,)
        if known is None:
            self._at[node] = self._new[node] = single
            self._open.append(node)
            return
        count = len(known)
        if count >= self._most_with_outside:
            form = self.values.forms[value]
            if form in OUTSIDE or (count >= self.most_values and form != KEY):
                self.overflowed.add(node)
                return
        if count < FEW:
            self._at[node] = known + single
        else:
            if count == FEW:
                known = self._at[node] = dict.fromkeys(known)
            known[value] = None
        waiting = self._new.get(node)
        if waiting is None:
            self._new[node] = single
            self._open.append(node)
        else:
            self._new[node] = waiting + single

    def edge(self, start: int, end: int) -> None:
        """Let the values of one node be values of another."""
        if start == end or end == NOWHERE:
            return
        edges = self._edges[start]
        if edges is None:
            self._edges[start] = (end,)
        elif end in edges:
            return
        elif len(edges) < FEW:
            self._edges[start] = (*edges, end)
        else:
            if len(edges) == FEW:
                edges = self._edges[start] = dict.fromkeys(edges)
            edges[end] = None
        values = self._at[start]
        if values is None:
            return
        if self._at[end] is None and len(values) <= self._most_with_outside:
            self._at[end] = self._new[end] = values
            self._open.append(end)
        else:
            for value in values:
                self.add(end, value)

    def watch(self, node: int, method: Callable[..., None], *arguments: Any) -> None:
        """Have `method(value, *arguments)` called once for every value of a node, now or later."""
        watcher = (method, *arguments)
        watchers = self._watchers[node]
        if watchers is None:
            self._watchers[node] = (watcher,)
        elif len(watchers) < FEW:
            self._watchers[node] = (*watchers, watcher)
        else:
            if len(watchers) == FEW:
                watchers = self._watchers[node] = list(watchers)
            watchers.append(watcher)
        here = self._at[node]
        if here:
            waiting = self._new.get(node, ())
            for value in here:
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
        new, open_, todo = self._new, self._open, self._todo
        all_at, all_edges, all_watchers = self._at, self._edges, self._watchers
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
                few = len(arrived) <= self._most_with_outside
                for end in edges:
                    there = all_at[end]
                    if there is None and few:
                        all_at[end] = new[end] = arrived
                        open_.append(end)
                    else:
                        for value in arrived:
                            if there is None or value not in there:
                                self.add(end, value)
            watchers = all_watchers[node]
            if watchers is not None:
                steps += len(watchers) * len(arrived)
                # A watcher may add watchers to this node; those see what is here by themselves.
                for watcher in tuple(watchers):
                    method = watcher[0]
                    arguments = watcher[1:]
                    for value in arrived:
                        method(value, *arguments)
