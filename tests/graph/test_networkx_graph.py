"""The graph that users compute on."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass

import networkx

from tests.graph.program import Program, program
from tracelens_indexer.graph.networkx_graph import Only, around, digraph, only
from tracelens_indexer.source.facts import qualname, unit_id
from tracelens_indexer.traces.records import Counting


@dataclass(frozen=True)
class Node:
    id: int
    parent: int | None
    qualname: str
    name: str
    kind: str
    path: str
    first_line: int
    end_line: int


@dataclass(frozen=True)
class Seen:
    caller: int
    callee: int
    calls: int = 1
    counting: Counting = "exact"
    total_ns: int = 0
    site_line: int = 0


def nodes(linked: Program) -> dict[str, Node]:
    found = {}
    for path, (module, facts) in linked.files.items():
        ids = [unit_id(path, unit.scope, unit.ordinal) for unit in facts.units]
        for identity, unit in zip(ids, facts.units, strict=True):
            name = qualname(module, unit.scope, unit.ordinal)
            found[name] = Node(
                identity, ids[unit.parent] if unit.parent >= 0 else None, name, unit.name, unit.kind, path,
                unit.first_line, unit.end_line,
            )  # fmt: skip
    return found


def nx_values(graph: networkx.DiGraph, attribute: str) -> list[object]:
    return list(networkx.get_edge_attributes(graph, attribute).values())


def named(graph: networkx.DiGraph) -> networkx.DiGraph:
    return networkx.relabel_nodes(graph, dict(graph.nodes(data="qualname")))


def test_call_sites_of_a_pair_are_one_edge() -> None:
    linked = program("def deco(f): return f\n@deco\ndef g(): pass\ndef h():\n    g(); g()\n    deco(g)\n")
    graph = named(digraph(nodes(linked).values(), linked.links.edges))
    assert set(graph.edges) == {("main", "main.deco"), ("main.h", "main.g"), ("main.h", "main.deco")}
    edge = graph.edges["main.h", "main.g"]
    assert (edge["kinds"], edge["sites"], edge["provenance"]) == (("call",), ((5, 4), (5, 9)), "static")
    assert (edge["calls"], edge["counting"], edge["total_ns"]) == (0, "", 0)
    assert edge["confidence"] in ("certain", "likely")
    assert graph.edges["main", "main.deco"]["kinds"] == ("decorates",)
    assert graph.nodes["main.g"] == {
        "qualname": "main.g", "name": "g", "kind": "function", "path": "main.py", "first_line": 2, "end_line": 3,
        "calls": 0, "counting": "",
    }  # fmt: skip
    assert list(networkx.descendants(graph, "main")) == ["main.deco"]
    assert graph.graph == {"partial": False}


def test_what_was_seen_running_is_kept_apart_from_what_the_source_says() -> None:
    linked = program("def f(): pass\ndef g(): pass\ndef h():\n    f()\n    g()\n")
    by_name = nodes(linked)
    f, g, h = (by_name[f"main.{name}"].id for name in "fgh")
    seen = [
        Seen(h, f, 3, "exact", 10, 4), Seen(h, f, 2, "at least", 5, 7), Seen(g, f, 1, "estimated"),
    ]  # fmt: skip
    graph = named(digraph(by_name.values(), linked.links.edges, seen, {h: (5, "exact")}, partial=True))
    edge = graph.edges["main.h", "main.f"]
    assert (edge["provenance"], edge["calls"], edge["counting"], edge["total_ns"]) == ("both", 5, "at least", 15)
    assert edge["sites"] == ((4, 4), (7, -1))
    traced = graph.edges["main.g", "main.f"]
    assert (traced["provenance"], traced["kinds"], traced["confidence"]) == ("traced", (), "")
    assert graph.edges["main.h", "main.g"]["provenance"] == "static"
    assert (graph.nodes["main.h"]["calls"], graph.graph["partial"]) == (5, True)


def test_a_comprehension_calls_for_the_function_around_it() -> None:
    linked = program("def g(x): return x\ndef f(xs):\n    return sum(g(y) for x in xs for y in [g(z) for z in x])\n")
    by_name = nodes(linked)
    inner = next(node for node in by_name.values() if node.name == "<genexpr>")
    f, g = by_name["main.f"].id, by_name["main.g"].id
    seen = [Seen(f, inner.id, 4), Seen(inner.id, g, 3), Seen(g, inner.id)]
    graph = named(digraph(by_name.values(), linked.links.edges, seen))
    assert set(graph.nodes) == {"main", "main.f", "main.g"}
    assert set(graph.edges) == {("main.f", "main.g")}
    assert graph.edges["main.f", "main.g"]["calls"] == 3


def test_a_run_tells_the_calls_of_a_class_body_as_its_modules() -> None:
    linked = program("def f(): return 1\nclass A:\n    x = f()\ny = f()\n")
    by_name = nodes(linked)
    main, f = by_name["main"].id, by_name["main.f"].id
    seen = [Seen(main, f, 2, site_line=3), Seen(main, f, 5, site_line=4)]
    graph = named(digraph(by_name.values(), linked.links.edges, seen))
    assert {edge: graph.edges[edge]["calls"] for edge in graph.edges} == {
        ("main.A", "main.f"): 2,
        ("main", "main.f"): 5,
    }
    assert set(nx_values(graph, "provenance")) == {"both"}


def test_edges_of_one_sort() -> None:
    linked = program(
        "class Plain: pass\ndef f(): pass\ndef g(): pass\ndef h():\n    f()\n    g()\n    Plain()\ndef rare(): f()\n"
    )
    by_name = nodes(linked)
    f, h = by_name["main.f"].id, by_name["main.h"].id

    def edges(which: Only, counting: str = "exact") -> set[tuple[str, str]]:
        graph = digraph(by_name.values(), linked.links.edges, [Seen(h, f)], {h: (1, counting), f: (1, counting)})
        return {(a.rpartition(".")[2], b.rpartition(".")[2]) for a, b in named(only(graph, which)).edges}

    assert edges("observed") == {("h", "f")}
    assert edges("static") == {("h", "g"), ("h", "Plain"), ("rare", "f")}
    assert edges("never-taken") == {("h", "g")}, "rare never ran, and a class without a constructor cannot be seen"
    assert edges("never-taken", "estimated") == set(), "that samples did not hit it says nothing"


def test_the_graph_around_a_unit() -> None:
    linked = program("def a(): b()\ndef b(): c()\ndef c(): d()\ndef d(): a()\ndef e(): c()\n")
    by_name = nodes(linked)
    graph = digraph(by_name.values(), linked.links.edges)
    assert set(named(around(graph, by_name["main.c"].id, 1)).nodes) == {"main.b", "main.c", "main.d", "main.e"}
    assert around(graph, 1, 3).number_of_nodes() == 0


def test_an_edge_to_a_unit_that_is_not_asked_for_is_left_out() -> None:
    linked = program("def f(): pass\nf()\n")
    assert digraph([], linked.links.edges).number_of_nodes() == 0


def test_linking_imports_no_networkx() -> None:
    modules = "tracelens_indexer.graph.link, tracelens_indexer.graph.networkx_graph"
    code = f"import sys, {modules}; print('networkx' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
