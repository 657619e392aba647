"""The graph as other programs read it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import networkx
import pytest

from tracelens_indexer.errors import TraceLensError
from tracelens_indexer.graph.export import write

HOSTILE = 'a"];\nx -> y [label="\\'


def graph() -> networkx.DiGraph:
    made = networkx.DiGraph(partial=True)
    for unit, name, path in ((2**63 - 1, "main.f", "ma\x07in.py"), (7, HOSTILE, "b<&>.py")):
        made.add_node(
            unit, qualname=name, name=name, kind="function", path=path, first_line=1, end_line=2, calls=3,
            counting="exact",
        )  # fmt: skip
    made.add_edge(
        2**63 - 1, 7, provenance="both", kinds=("call", "implicit"), confidence="certain", sites=((1, 4), (3, -1)),
        calls=1234, counting="at least", total_ns=5,
    )  # fmt: skip
    return made


def test_graphml_is_read_back(tmp_path: Path) -> None:
    file = tmp_path / "calls.graphml"
    write(graph(), file)
    read = networkx.read_graphml(file)
    assert read.graph["partial"] is True
    assert set(read.nodes) == {"u:7fffffffffffffff", "u:7"}
    assert read.nodes["u:7"]["path"] == "b<&>.py"
    edge = read.edges["u:7fffffffffffffff", "u:7"]
    assert (edge["kinds"], edge["sites"], edge["calls"]) == ("call,implicit", "1:4 3", 1234)


def test_json_is_read_back(tmp_path: Path) -> None:
    file = tmp_path / "calls.JSON"
    write(graph(), file)
    data: dict[str, Any] = json.loads(file.read_text())
    assert data["graph"] == {"partial": True}
    assert {node["id"]: node["qualname"] for node in data["nodes"]} == {"u:7fffffffffffffff": "main.f", "u:7": HOSTILE}
    [edge] = data["edges"]
    assert (edge["source"], edge["target"]) == ("u:7fffffffffffffff", "u:7")
    assert edge["sites"] == [[1, 4], [3, -1]]


def test_no_name_breaks_out_of_dot(tmp_path: Path) -> None:
    file = tmp_path / "calls.dot"
    write(graph(), file)
    text = file.read_text()
    assert "partial" in text and 'label="1,234"' in text
    outside = re.sub(r'"(?:[^"\\]|\\.)*"', '""', text)
    assert outside.count("->") == 1
    # What is left without the strings is a graph, two nodes and an edge.
    assert [line.split(" [")[0].strip() for line in outside.splitlines() if '"" [' in line] == ['""', '""', '"" -> ""']
    assert all(line.endswith(("{", ";", "}")) for line in outside.splitlines())


def test_another_ending_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TraceLensError, match=r"\.graphml, \.dot, \.json"):
        write(graph(), tmp_path / "calls.png")
    with pytest.raises(TraceLensError, match="cannot be written"):
        write(graph(), tmp_path / "nowhere" / "calls.dot")
