"""A workspace that stays linked: what an edit of a function changes is linked again, and nothing else.

Holding it takes memory (some kilobytes for each unit) and is for a process that lives beside an editor; who links once
uses `link`. A full `relink` is what an update is measured by: where no bound on values was near, both say the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tracelens_indexer.graph.flowing import values_allowed
from tracelens_indexer.graph.link import work_allowed
from tracelens_indexer.graph.links import FileLinks, Links
from tracelens_indexer.graph.outcome import Outcome
from tracelens_indexer.graph.outside import Call
from tracelens_indexer.graph.program import File, Program
from tracelens_indexer.graph.revision import Revision, revise
from tracelens_indexer.graph.tracking import TrackedFrames
from tracelens_indexer.memory import keep, without_collection
from tracelens_indexer.source.facts import FileFacts


@dataclass(frozen=True, slots=True)
class Update:
    """What a change of files did to the links."""

    links: dict[str, FileLinks]
    """By path: the files whose links may be others now, and what they are."""
    full: bool
    """Whether everything was linked again."""
    exact: bool
    """Whether a full relink would say the same; otherwise a bound was near, and one is due."""


class Linker:
    """The links of a workspace, kept up to date with its facts."""

    def __init__(self, files: Mapping[str, tuple[str, FileFacts]]) -> None:
        self._files = dict(files)
        self._link_all()

    def relink(self) -> None:
        """Link everything from the beginning."""
        self._frames.forget()
        self._link_all()

    def _link_all(self) -> None:
        with without_collection():
            self._program = Program(self._files)
            self._frames = TrackedFrames(self._program)
            self._frames.run(work_allowed(self._frames))
            self._outcome = Outcome(self._program, self._frames)
            self._calls: list[list[Call]] = [[] for _ in self._program.files]
            self._callers: dict[int, set[int]] = {}
            """Node of a callee to the files that call it."""
            self._known_calls = 0
            self._sort_calls()
            self._links = {file.path: self._of_file(file) for file in self._program.files}
            self._frames.touched.clear()
            # Millions of objects that stay: looking for garbage among them takes seconds.
            keep()

    def file_links(self, path: str) -> FileLinks:
        return self._links[path]

    def links(self) -> Links:
        each = [self._links[file.path] for file in self._program.files]
        return Links(
            tuple(edge for links in each for edge in links.edges),
            tuple(resolution for links in each for resolution in links.resolutions),
            self._frames.exhausted,
        )

    def update(self, path: str, module: str, facts: FileFacts) -> Update:
        """Take in one file's new facts."""
        known = self._files.get(path)
        self._files[path] = (module, facts)
        index = self._program.numbers.get(path)
        revision = None
        if known is not None and known[0] == module and index is not None and not self._frames.exhausted:
            revision = revise(self._program, index, facts)
        if revision is None or self._changes_names(revision):
            return self._relinked()
        return self._take_in(revision)

    def remove(self, path: str) -> Update:
        """Forget a file."""
        del self._files[path]
        return self._relinked()

    def _relinked(self) -> Update:
        before = self._links
        self.relink()
        return Update({one: links for one, links in self._links.items() if before.get(one) != links}, True, True)

    def _changes_names(self, revision: Revision) -> bool:
        """Whether an attribute is stored under for the first time, or no more: loads everywhere depend on that."""
        stored = self._frames.stored
        return any(
            count and ((stored[name] + count > 0) != (stored[name] > 0)) for name, count in revision.stored.items()
        )

    def _take_in(self, revision: Revision) -> Update:
        frames, program = self._frames, self._program
        with without_collection():
            frames.exact = True
            frames.stored.update(revision.stored)
            program.replace(revision.file, [*revision.bodies, *revision.inner, *revision.new], revision.gone)
            frames.replace(revision, work_allowed(frames))
            if frames.exhausted or frames.most_values != values_allowed(program.nodes):
                return self._relinked()
            self._sort_calls()
            return Update(self._refreshed(revision.file), False, frames.exact)

    def _refreshed(self, edited: File) -> dict[str, FileLinks]:
        """The links of the files that what has changed is called from."""
        touched = self._frames.touched
        self._outcome.forget_units()
        if touched.isdisjoint(self._frames.members_read):
            files = {edited.index}
            for node in touched:
                files |= self._callers.get(node, set())
        else:
            files = set(range(len(self._program.files)))
        touched.clear()
        changed: dict[str, FileLinks] = {}
        for index in sorted(files):
            file = self._program.files[index]
            links = self._of_file(file)
            if links != self._links[file.path]:
                changed[file.path] = self._links[file.path] = links
        return changed

    def _of_file(self, file: File) -> FileLinks:
        calls = self._calls[file.index] = [call for call in self._calls[file.index] if call.live]
        return self._outcome.of_file(file, calls)

    def _sort_calls(self) -> None:
        """Put the calls that are new with their files."""
        for call in self._frames.calls[self._known_calls :]:
            index = self._program.source(call.place[0])[0].index
            self._calls[index].append(call)
            self._callers.setdefault(call.callee, set()).add(index)
        self._known_calls = len(self._frames.calls)
