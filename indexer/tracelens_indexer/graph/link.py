"""Linking: the facts of all files to edges between units and one resolution for every call site.

A function of all facts, in three steps: every unit's code becomes nodes and edges (graph/frames.py); values go along
them until nothing is new (graph/flowing.py); what has arrived at each callee becomes edges of the call graph
(graph/outcome.py). The order of the input does not matter.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from tracelens_indexer.graph.flowing import MOST_WORK, WORK_PER_NODE
from tracelens_indexer.graph.frames import Frames
from tracelens_indexer.graph.links import Links
from tracelens_indexer.graph.outcome import Outcome
from tracelens_indexer.graph.outside import Call
from tracelens_indexer.graph.program import Program
from tracelens_indexer.memory import without_collection
from tracelens_indexer.source.facts import FileFacts

MIN_WORK: Final = 200_000


def link(files: Mapping[str, tuple[str, FileFacts]]) -> Links:
    """Link a workspace. `files`: path to (module, facts); edges and resolutions come ordered by path and place."""
    with without_collection():
        program = Program(files)
        frames = Frames(program)
        frames.run(work_allowed(frames))
        outcome = Outcome(program, frames)
        calls = calls_by_file(program, frames)
        each = [outcome.of_file(file, calls[file.index]) for file in program.files]
        exhausted = frames.exhausted
        frames.forget()
        return Links(
            tuple(edge for links in each for edge in links.edges),
            tuple(resolution for links in each for resolution in links.resolutions),
            exhausted,
        )


def work_allowed(frames: Frames) -> int:
    """Steps that a program of this size may take."""
    return min(MOST_WORK, max(MIN_WORK, WORK_PER_NODE * frames.size))


def calls_by_file(program: Program, frames: Frames) -> list[list[Call]]:
    """The calls whose place is in each file."""
    calls: list[list[Call]] = [[] for _ in program.files]
    for call in frames.calls:
        calls[program.source(call.place[0])[0].index].append(call)
    return calls
