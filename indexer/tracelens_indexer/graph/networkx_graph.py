"""The call graph as a networkx graph: what the rest of the program and users compute on.

Nodes are unit ids. What a comprehension or generator expression calls, the function around it calls: comprehensions
are no nodes. A run tells the calls of a class body as calls of what is around it: they are the class's where the source
says so. Attributes of a node:

- `qualname`, `name`, `kind`, `path`, `first_line`, `end_line`: of the unit;
- `calls`: how often it was seen running in the chosen runs; `counting`: how sure that number is ("exact", "at least",
  "estimated"; "" when it was not seen).

One edge goes from a caller to a callee, however many call sites. Attributes of an edge:

- `provenance`: "static" (the source says so), "traced" (only seen running), "both";
- `kinds`: sorted tuple of "call", "decorates", "implicit"; empty when only seen running;
- `confidence`: "certain" when one site is certain, else "likely"; "" when only seen running;
- `sites`: tuple of (line, column) in the caller's file, in order; the column is -1 where only a run knows the line;
- `calls`, `counting`, `total_ns`: how often and how long it was seen in the chosen runs; 0, "" and 0 when not.

Attributes of the graph: `partial`, whether linking hit one of its bounds, so that edges may be missing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Literal, Protocol

from tracelens_indexer.graph.links import Edge
from tracelens_indexer.traces.records import Counting

if TYPE_CHECKING:
    import networkx

Only = Literal["observed", "static", "never-taken"]


class Node(Protocol):
    """What a node is made of: the store's unit records have it all."""

    @property
    def id(self) -> int: ...
    @property
    def parent(self) -> int | None: ...
    @property
    def qualname(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def path(self) -> str: ...
    @property
    def first_line(self) -> int: ...
    @property
    def end_line(self) -> int: ...


class Seen(Protocol):
    """A call that was seen running, summed over the chosen runs."""

    @property
    def caller(self) -> int: ...
    @property
    def callee(self) -> int: ...
    @property
    def calls(self) -> int: ...
    @property
    def counting(self) -> Counting: ...
    @property
    def total_ns(self) -> int: ...
    @property
    def site_line(self) -> int: ...


def digraph(
    units: Iterable[Node],
    edges: Iterable[Edge],
    seen: Iterable[Seen] = (),
    ran: Mapping[int, tuple[int, str]] | None = None,
    *,
    partial: bool = False,
) -> networkx.DiGraph:
    """The graph of these units and of the edges between them; an edge to a unit that is not given is left out.

    `ran`: unit id to (calls, counting) of the units that were seen running.
    """
    import networkx  # heavy: only who asks for a graph pays for it

    known = {unit.id: unit for unit in units}
    graph = networkx.DiGraph(partial=partial)
    for unit in known.values():
        if unit.kind == "comprehension":
            continue
        calls, counting = (ran or {}).get(unit.id, (0, ""))
        graph.add_node(
            unit.id,
            qualname=unit.qualname,
            name=unit.name,
            kind=unit.kind,
            path=unit.path,
            first_line=unit.first_line,
            end_line=unit.end_line,
            calls=calls,
            counting=counting,
        )
    said: dict[tuple[int, int], list[Edge]] = {}
    bodies: dict[tuple[int, int, int], int] = {}
    """The class whose body makes a call, by (unit of the frame, callee, line)."""
    for edge in edges:
        caller = owner(known, edge.caller)
        if caller in graph and edge.callee in graph:
            said.setdefault((caller, edge.callee), []).append(edge)
            if known[caller].kind == "class":
                bodies[frame(known, caller), edge.callee, edge.line] = caller
    observed: dict[tuple[int, int], list[Seen]] = {}
    for one in seen:
        caller = owner(known, one.caller)
        caller = bodies.get((caller, one.callee, one.site_line), caller)
        # Resuming a generator expression is not a call that its function's author wrote: those edges are left out.
        if caller in graph and one.callee in graph:
            observed.setdefault((caller, one.callee), []).append(one)
    for pair in dict.fromkeys((*said, *observed)):
        graph.add_edge(*pair, **_attributes(said.get(pair, []), observed.get(pair, [])))
    return graph


def owner(units: Mapping[int, Node], unit: int) -> int:
    """The unit that a call is told of: what is around a comprehension, else the unit itself."""
    return _climbed(units, unit, ("comprehension",))


def frame(units: Mapping[int, Node], unit: int) -> int:
    """The unit that a run tells a call of: class bodies too belong to what is around them."""
    return _climbed(units, unit, ("comprehension", "class"))


def _climbed(units: Mapping[int, Node], unit: int, kinds: tuple[str, ...]) -> int:
    while (found := units.get(unit)) and found.kind in kinds and found.parent is not None:
        unit = found.parent
    return unit


def _attributes(said: list[Edge], seen: list[Seen]) -> dict[str, object]:
    sites = {(edge.line, edge.column) for edge in said}
    lines = {line for line, _ in sites}
    sites |= {(one.site_line, -1) for one in seen if one.site_line and one.site_line not in lines}
    confidence = "certain" if any(edge.confidence == "certain" for edge in said) else "likely"
    return {
        "provenance": "both" if said and seen else "static" if said else "traced",
        "kinds": tuple(sorted({edge.kind for edge in said})),
        "confidence": confidence if said else "",
        "sites": tuple(sorted(sites)),
        "calls": sum(one.calls for one in seen),
        "counting": worst(one.counting for one in seen) or "",
        "total_ns": sum(one.total_ns for one in seen),
    }


def worst(countings: Iterable[Counting]) -> Counting | None:
    """How sure a sum is: as its least sure part; None of nothing."""
    return max(countings, key=("exact", "at least", "estimated").index, default=None)


def only(graph: networkx.DiGraph, which: Only) -> networkx.DiGraph:
    """The graph with one sort of edges, and the nodes at their ends.

    "observed": seen running. "static": in the source, and not seen. "never-taken": of these, the ones whose caller was
    seen in full and never made this call; a class without a constructor of its own cannot be seen, and is not counted.
    """
    return graph.edge_subgraph(
        [
            (caller, callee)
            for caller, callee, edge in graph.edges(data=True)
            if belongs(
                which,
                provenance=edge["provenance"],
                caller_counting=graph.nodes[caller]["counting"],
                callee_kind=graph.nodes[callee]["kind"],
            )
        ]
    ).copy()


def belongs(which: Only, *, provenance: str, caller_counting: str, callee_kind: str) -> bool:
    """Whether an edge is of a sort; `caller_counting` is "" when the caller was not seen running."""
    if which == "observed":
        return provenance != "static"
    if provenance != "static":
        return False
    return which == "static" or (caller_counting == "exact" and callee_kind != "class")


def around(graph: networkx.DiGraph, unit: int, depth: int) -> networkx.DiGraph:
    """The part of the graph that is at most `depth` steps before or after a unit."""
    import networkx

    if unit not in graph:
        return graph.subgraph([]).copy()
    after = networkx.single_source_shortest_path_length(graph, unit, cutoff=depth)
    before = networkx.single_source_shortest_path_length(graph.reverse(copy=False), unit, cutoff=depth)
    return graph.subgraph({*after, *before}).copy()
