"""The call graph as a networkx graph: what the rest of the program and users compute on.

Nodes are unit ids. Their attributes: `qualname`, `name`, `kind`, `path`, `first_line`, `end_line`.
One edge goes from a caller to a callee, however many call sites: its attributes are `kinds` (sorted tuple of "call",
"decorates"), `confidence` ("certain" when one site is certain, else "likely") and `sites` (tuple of (line, column) in
the caller's file, in order).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Protocol

from tracelens_indexer.graph.links import Edge

if TYPE_CHECKING:
    import networkx


class Node(Protocol):
    """What a node is made of: the store's unit records have it all."""

    @property
    def id(self) -> int: ...
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


def digraph(units: Iterable[Node], edges: Iterable[Edge]) -> networkx.DiGraph:
    """The graph of these units and of the edges between them; an edge to a unit that is not given is left out."""
    import networkx  # heavy: only who asks for a graph pays for it

    graph = networkx.DiGraph()
    for unit in units:
        graph.add_node(
            unit.id,
            qualname=unit.qualname,
            name=unit.name,
            kind=unit.kind,
            path=unit.path,
            first_line=unit.first_line,
            end_line=unit.end_line,
        )
    sites: dict[tuple[int, int], list[Edge]] = {}
    for edge in edges:
        if edge.caller in graph and edge.callee in graph:
            sites.setdefault((edge.caller, edge.callee), []).append(edge)
    for (caller, callee), found in sites.items():
        graph.add_edge(
            caller,
            callee,
            kinds=tuple(sorted({edge.kind for edge in found})),
            confidence="certain" if any(edge.confidence == "certain" for edge in found) else "likely",
            sites=tuple(sorted({(edge.line, edge.column) for edge in found})),
        )
    return graph
