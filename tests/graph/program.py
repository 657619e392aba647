"""Programs written in a test, linked, and shown as readable edges."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass

from tracelens_indexer.graph.link import link
from tracelens_indexer.graph.links import Links
from tracelens_indexer.source.facts import FileFacts, qualname, unit_id
from tracelens_indexer.source.lower import lower
from tracelens_indexer.workspace import module_names_of


@dataclass(frozen=True)
class Program:
    files: dict[str, tuple[str, FileFacts]]
    links: Links

    @property
    def names(self) -> dict[int, str]:
        return {
            unit_id(path, unit.scope, unit.ordinal): qualname(module, unit.scope, unit.ordinal)
            for path, (module, facts) in self.files.items()
            for unit in facts.units
        }

    def edges(self, kind: str = "call") -> set[str]:
        """ "a.f -> b.g"; "a.f ~> b.g" where only likely."""
        names = self.names
        return {
            f"{names[edge.caller]} {'->' if edge.confidence == 'certain' else '~>'} {names[edge.callee]}"
            for edge in self.links.edges
            if edge.kind == kind
        }

    def outcomes(self) -> dict[str, str]:
        """Each callee as written to "resolved", or to its status and reason."""
        return {
            one.callee: one.status if one.status == "resolved" else f"{one.status}: {one.reason}"
            for one in self.links.resolutions
        }


def program(files: dict[str, str] | str) -> Program:
    """Link sources by path; one source alone is `main.py`."""
    if isinstance(files, str):
        files = {"main.py": files}
    modules = module_names_of(files)
    lowered = {path: (modules[path], lower(textwrap.dedent(source).encode())) for path, source in files.items()}
    return Program(lowered, link(lowered))
