"""A document as it is in the editor now, and which unit of the index each of its units is.

Positions are 0-based lines and 0-based columns in bytes of UTF-8, as in the facts; only the language server's
`convert` knows the client's units. A snapshot never changes; its units are found once, when first asked for.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from msgspec import structs
from tree_sitter import Tree

from tracelens_indexer.profiles.rows import AnchorState
from tracelens_indexer.source.drafts import Known
from tracelens_indexer.source.facts import Unit, unit_id
from tracelens_indexer.source.outline import outline
from tracelens_indexer.source.place import Place, place_at
from tracelens_indexer.source.syntax import parse
from tracelens_indexer.store.answers import Profile, UnitRecord

_NAMED_KINDS = ("class", "function", "method")


@dataclass(frozen=True, slots=True, order=True)
class Position:
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Span:
    start: Position
    end: Position


@dataclass(frozen=True)
class DocumentSnapshot:
    """One version of one document."""

    path: str
    """Relative to the workspace, with /."""
    text: bytes
    version: int = 0
    shown: _Shown | None = field(default=None, compare=False, repr=False)
    """Units of the version before that this one may have lost for a moment, while somebody types; see `following`."""

    edited: Tree | None = field(default=None, compare=False, repr=False)
    """The tree of the version before, told of the edit."""

    known: Known = field(default_factory=Known, compare=False, repr=False)
    """What all versions of the document share: the functions that were read before."""

    @cached_property
    def line_starts(self) -> list[int]:
        return [0, *_line_starts(self.text, 0, len(self.text))]

    @cached_property
    def kept(self) -> tuple[Unit, ...]:
        """Where units of the version before would be, if they are still there."""
        return self.shown.moved() if self.shown else ()

    @cached_property
    def tree(self) -> Tree:
        return parse(self.text, self.edited)

    @cached_property
    def units(self) -> tuple[Unit, ...]:
        """Units in source order, module first, with those that are kept while the text does not parse."""
        found = outline(self.text, self.tree, self.known)
        if not self.tree.root_node.has_error:
            return found
        known = {(unit.scope, unit.ordinal) for unit in found}
        return (*found, *(unit for unit in self.kept if (unit.scope, unit.ordinal) not in known))

    @cached_property
    def by_id(self) -> dict[int, Unit]:
        return {unit_id(self.path, unit.scope, unit.ordinal): unit for unit in self.units}

    def line(self, number: int) -> bytes:
        """A line without its end; empty beyond the last."""
        if not 0 <= number < len(self.line_starts):
            return b""
        end = self.line_starts[number + 1] - 1 if number + 1 < len(self.line_starts) else len(self.text)
        return self.text[self.line_starts[number] : end].rstrip(b"\r")

    def offset(self, position: Position) -> int | None:
        """Byte offset of a position; None beyond the document."""
        if position.line < 0 or position.column < 0 or position.line >= len(self.line_starts):
            return None
        return self.line_starts[position.line] + min(position.column, len(self.line(position.line)))

    def position(self, offset: int) -> Position:
        line = bisect_right(self.line_starts, offset) - 1
        return Position(line, offset - self.line_starts[line])

    def whole_line(self, number: int) -> Span:
        """A line's text, without its indentation."""
        text = self.line(number)
        return Span(Position(number, len(text) - len(text.lstrip())), Position(number, len(text.rstrip())))

    def name_span(self, unit: Unit) -> Span:
        start = Position(unit.name_line - 1, unit.name_column)
        return Span(start, Position(start.line, start.column + len(unit.name.encode())))

    def def_line_end(self, unit: Unit) -> Position:
        line = unit.def_line - 1
        return Position(line, len(self.line(line).rstrip()))

    def place(self, position: Position) -> Place | None:
        """What stands at a position; None beyond the document."""
        if self.offset(position) is None:
            return None
        return place_at(self.text, position.line + 1, position.column, tree=self.tree, units=self.units)

    def around(self, unit: Unit) -> Iterator[Unit]:
        """A unit and those it lies in, innermost first."""
        while True:
            yield unit
            if unit.parent < 0:
                return
            unit = self.units[unit.parent]


def following(previous: DocumentSnapshot, text: bytes, version: int) -> DocumentSnapshot:
    """The next version of a document.

    Half-typed code may hide units from the parser for a moment. Those whose `def` line stands unchanged before or
    after the edited lines are kept, shifted with the text, so that nothing shown about them flickers away.
    """
    edit = changed_bytes(previous.text, text)
    known = previous.__dict__.get("tree") or previous.edited
    after = DocumentSnapshot(previous.path, text, version)
    after.__dict__["line_starts"] = _starts_after(previous.line_starts, text, edit)
    # Of a version that was never asked about, nothing is shown but what it kept itself.
    shown = previous.units if "units" in previous.__dict__ else previous.kept
    moved = _Shown(
        units=shown,
        first_changed=previous.position(edit.start).line,
        last_changed=previous.position(edit.old_end).line,
        start=edit.start,
        lines=len(after.line_starts) - len(previous.line_starts),
        size=len(text) - len(previous.text),
    )
    tree = known and _edited(known, previous, after, edit)
    following = replace(after, shown=moved, edited=tree, known=previous.known)
    following.__dict__["line_starts"] = after.line_starts
    return following


@dataclass(frozen=True, slots=True)
class ChangedBytes:
    """The bytes between the common beginning and the common end of two versions."""

    start: int
    old_end: int
    new_end: int


def changed_bytes(old: bytes, new: bytes) -> ChangedBytes:
    """The one stretch outside of which two versions of a text are the same."""
    head = _common_prefix(old, new)
    tail = min(_common_prefix(old[::-1], new[::-1]), min(len(old), len(new)) - head)
    # Both at the beginning of a character: the parser reads characters, not bytes.
    while head and any(_continues(text, head) for text in (old, new)):
        head -= 1
    while tail and _continues(old, len(old) - tail):
        tail -= 1
    return ChangedBytes(head, len(old) - tail, len(new) - tail)


def _continues(text: bytes, offset: int) -> bool:
    return offset < len(text) and text[offset] & 0xC0 == 0x80


def _edited(tree: Tree, before: DocumentSnapshot, after: DocumentSnapshot, edit: ChangedBytes) -> Tree:
    """The tree of the version before, told of the edit, so that only what changed is parsed again."""
    start, old_end, new_end = before.position(edit.start), before.position(edit.old_end), after.position(edit.new_end)
    copy = tree.copy()
    copy.edit(
        edit.start,
        edit.old_end,
        edit.new_end,
        (start.line, start.column),
        (old_end.line, old_end.column),
        (new_end.line, new_end.column),
    )
    return copy


@dataclass(frozen=True, slots=True)
class _Shown:
    """The units of one version, and the edit that led to the next."""

    units: tuple[Unit, ...]
    first_changed: int
    last_changed: int
    """0-based lines of the version before."""
    start: int
    """Byte at which the edit begins."""
    lines: int
    size: int
    """How many lines and bytes more there are."""

    def moved(self) -> tuple[Unit, ...]:
        """The functions whose `def` line stands outside the edited lines, where they are after it."""
        kept = []
        for unit in self.units:
            if unit.kind not in ("function", "method"):
                continue
            if unit.def_line - 1 < self.first_changed:
                end = unit.end_byte + self.size if unit.end_byte > self.start else unit.end_byte
                end_line = unit.end_line + self.lines if unit.end_line - 1 >= self.first_changed else unit.end_line
                kept.append(_moved(unit, 0, 0, end_line, end))
            elif unit.first_line - 1 > self.last_changed:
                kept.append(_moved(unit, self.lines, self.size, unit.end_line + self.lines, unit.end_byte + self.size))
        return tuple(kept)


def _moved(unit: Unit, lines: int, size: int, end_line: int, end_byte: int) -> Unit:
    return structs.replace(
        unit,
        parent=0,
        first_line=unit.first_line + lines,
        def_line=unit.def_line + lines,
        name_line=unit.name_line + lines,
        end_line=end_line,
        start_byte=unit.start_byte + size,
        end_byte=end_byte,
        parameters=tuple(structs.replace(p, line=p.line + lines) for p in unit.parameters),
    )


def _line_starts(text: bytes, start: int, end: int) -> list[int]:
    """Where the lines begin whose line feed before them lies between two offsets."""
    found = []
    at = text.find(b"\n", start, end)
    while at >= 0:
        found.append(at + 1)
        at = text.find(b"\n", at + 1, end)
    return found


def _starts_after(before: list[int], text: bytes, edit: ChangedBytes) -> list[int]:
    """The beginnings of lines after an edit: those of the text before it, those in it, and those behind it, moved."""
    by = edit.new_end - edit.old_end
    kept, moved = bisect_right(before, edit.start), bisect_right(before, edit.old_end)
    return [*before[:kept], *_line_starts(text, edit.start, edit.new_end), *(at + by for at in before[moved:])]


def _common_prefix(a: bytes, b: bytes) -> int:
    """Length of the common beginning: by halving, so that the comparison runs at the speed of memory."""
    low, high = 0, min(len(a), len(b))
    if a[:high] == b[:high]:
        return high
    while low < high:
        middle = (low + high + 1) // 2
        if a[low:middle] == b[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def placed(document: DocumentSnapshot, records: Sequence[UnitRecord]) -> dict[int, Unit]:
    """Id of each indexed unit of the document's file to the unit of the buffer that it is now.

    By scope and ordinal; a function that was renamed or moved by an edit that is not indexed yet is recognised by its
    body, when exactly one has it.
    """
    found = {record.id: document.by_id[record.id] for record in records if record.id in document.by_id}
    lost = [record for record in records if record.id not in found and record.kind in _NAMED_KINDS]
    if lost:
        known = {record.id for record in records}
        new: dict[str, list[Unit]] = {}
        for identity, unit in document.by_id.items():
            if identity not in known and unit.kind in _NAMED_KINDS:
                new.setdefault(unit.body_hash, []).append(unit)
        for record in lost:
            same = [unit for unit in new.get(record.body_hash, ()) if unit.kind in ("function", "method")]
            if len(same) == 1:
                found[record.id] = same[0]
    return found


def state_now(profile: Profile, unit: Unit | None) -> AnchorState:
    """The freshness of a profile against the buffer: an edit that is not saved or indexed yet makes it stale too."""
    if unit is not None and unit.body_hash != profile.unit.body_hash:
        return "stale"
    return profile.state


def in_document(profiles: Mapping[int, Profile], units: Mapping[int, Unit]) -> list[tuple[Unit, Profile]]:
    """Profiles with the buffer's units they are about, in source order."""
    pairs = [(units[identity], profile) for identity, profile in profiles.items() if identity in units]
    return sorted(pairs, key=lambda pair: (pair[0].first_line, pair[0].name_column))
