"""The graph that users compute on."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass

import networkx

from tests.graph.program import program
from tracelens_indexer.graph.networkx_graph import digraph
from tracelens_indexer.source.facts import qualname, unit_id


@dataclass(frozen=True)
class Node:
    id: int
    qualname: str
    name: str
    kind: str
    path: str
    first_line: int
    end_line: int


def test_call_sites_of_a_pair_are_one_edge() -> None:
    linked = program("def deco(f): return f\n@deco\ndef g(): pass\ndef h():\n    g(); g()\n    deco(g)\n")
    nodes = [
        Node(
            unit_id(path, unit.scope, unit.ordinal), qualname(module, unit.scope, unit.ordinal), unit.name, unit.kind,
            path, unit.first_line, unit.end_line,
        )
        for path, (module, facts) in linked.files.items()
        for unit in facts.units
    ]  # fmt: skip
    graph = digraph(nodes, linked.links.edges)
    named = networkx.relabel_nodes(graph, {node.id: node.qualname for node in nodes})
    assert set(named.edges) == {("main", "main.deco"), ("main.h", "main.g"), ("main.h", "main.deco")}
    assert named.edges["main.h", "main.g"] == {
        "kinds": ("call",), "confidence": "likely", "sites": ((5, 4), (5, 9)),
    }  # fmt: skip
    assert named.edges["main", "main.deco"]["kinds"] == ("decorates",)
    assert named.nodes["main.g"] == {
        "qualname": "main.g", "name": "g", "kind": "function", "path": "main.py", "first_line": 2, "end_line": 3,
    }  # fmt: skip
    assert list(networkx.descendants(named, "main")) == ["main.deco"]


def test_an_edge_to_a_unit_that_is_not_asked_for_is_left_out() -> None:
    linked = program("def f(): pass\nf()\n")
    assert digraph([], linked.links.edges).number_of_nodes() == 0


def test_linking_imports_no_networkx() -> None:
    modules = "tracelens_indexer.graph.link, tracelens_indexer.graph.networkx_graph"
    code = f"import sys, {modules}; print('networkx' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
