"""Writing the call graph for other programs: GraphML, DOT and JSON, each with all attributes of nodes and edges.

Nodes are named "u:<id>" as on the command line: the numbers themselves do not fit what JavaScript calls one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tracelens_indexer.errors import TraceLensError

if TYPE_CHECKING:
    import networkx

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def write(graph: networkx.DiGraph, path: Path) -> None:
    """Write the graph in the format that the file's ending says. Raises TraceLensError for another ending."""
    writer = WRITERS.get(path.suffix.lower())
    if writer is None:
        raise TraceLensError(f"{path}: the ending says the format; it is one of {', '.join(WRITERS)}")
    try:
        writer(graph, path)
    except OSError as error:
        raise TraceLensError(f"{path} cannot be written: {error.strerror}") from error


def _graphml(graph: networkx.DiGraph, path: Path) -> None:
    """GraphML has no tuples: kinds are "call,decorates", sites "12:4 13:8"."""
    import networkx

    plain = networkx.DiGraph(**graph.graph)
    for unit, attributes in graph.nodes(data=True):
        plain.add_node(_name(unit), **{key: _flat(value) for key, value in attributes.items()})
    for caller, callee, attributes in graph.edges(data=True):
        plain.add_edge(_name(caller), _name(callee), **{key: _flat(value) for key, value in attributes.items()})
    networkx.write_graphml_xml(plain, str(path))


def _flat(value: Any) -> str | int | float | bool:
    if isinstance(value, str):
        # No file name may make the document something that XML readers refuse.
        return _NOT_XML.sub("\ufffd", value)
    if isinstance(value, tuple):
        if value and isinstance(value[0], tuple):
            return " ".join(f"{line}:{column}" if column >= 0 else str(line) for line, column in value)
        return ",".join(value)
    assert isinstance(value, (int, float, bool))
    return value


def _dot(graph: networkx.DiGraph, path: Path) -> None:
    path.write_text("\n".join(_dot_lines(graph)) + "\n", encoding="utf-8", errors="replace")


def _dot_lines(graph: networkx.DiGraph) -> Iterator[str]:
    """Solid edges were seen running, with how often; dashed ones only the source says; bold ones only a run."""
    yield "digraph calls {"
    yield "  rankdir=LR; node [shape=box];"
    if graph.graph.get("partial"):
        yield f"  label={_quoted('partial: linking hit a bound, edges may be missing')};"
    for unit, attributes in graph.nodes(data=True):
        shown = {"label": attributes["qualname"], **attributes}
        yield f"  {_quoted(_name(unit))} [{_dot_attributes(shown)}];"
    for caller, callee, attributes in graph.edges(data=True):
        style = {"static": "dashed", "both": "solid", "traced": "bold"}[attributes["provenance"]]
        shown = {"label": f"{attributes['calls']:,}" if attributes["calls"] else "", "style": style, **attributes}
        yield f"  {_quoted(_name(caller))} -> {_quoted(_name(callee))} [{_dot_attributes(shown)}];"
    yield "}"


def _dot_attributes(attributes: Mapping[str, Any]) -> str:
    return ", ".join(f"{key}={_quoted(str(_flat(value)))}" for key, value in attributes.items())


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\r", "")
    return f'"{escaped}"'


def _json(graph: networkx.DiGraph, path: Path) -> None:
    """The shape that `networkx.node_link_graph(data, edges="edges")` reads."""
    data = {
        "directed": True,
        "multigraph": False,
        "graph": dict(graph.graph),
        "nodes": [{"id": _name(unit), **attributes} for unit, attributes in graph.nodes(data=True)],
        "edges": [
            {"source": _name(caller), "target": _name(callee), **attributes}
            for caller, callee, attributes in graph.edges(data=True)
        ],
    }
    path.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")


def _name(unit: int) -> str:
    return f"u:{unit:x}"


WRITERS: dict[str, Callable[[networkx.DiGraph, Path], None]] = {".graphml": _graphml, ".dot": _dot, ".json": _json}
