"""What an edit of one file changes for linking: which units have another body, and where everything else went.

Code is the same when it says the same in the same order; lines, columns and how words and units are numbered do not
count. An edit inside functions is a revision that a linked program can take in; one that changes what a module or a
class says, or how a function looks from outside, is not.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from tracelens_indexer.graph.attributes import stored_names
from tracelens_indexer.graph.program import File, Program
from tracelens_indexer.source import flow
from tracelens_indexer.source.facts import FileFacts, Unit


@dataclass
class Revision:
    """How a new version of a file differs from what is linked."""

    file: File
    """The new version: its units numbered, its positions and call sites traced back to the versions that are read."""
    bodies: set[int] = field(default_factory=set)
    """Units whose body is another; from outside they look the same."""
    reshaped: set[int] = field(default_factory=set)
    """Functions that look different from outside, or may: calls of them are to be made again."""
    inner: set[int] = field(default_factory=set)
    """Units inside those that were there before."""
    gone: set[int] = field(default_factory=set)
    new: list[int] = field(default_factory=list)
    """Units that were not there before, outer ones first."""
    stored: Counter[str] = field(default_factory=Counter)
    """Attributes that are stored under in more places, or (below zero) in fewer."""


def revise(program: Program, index: int, facts: FileFacts) -> Revision | None:
    """The revision that makes a file what `facts` say; None when linking has to begin again.

    Nothing of the program is changed but that new units get numbers.
    """
    return _Comparison(program, index, facts).revision()


class _Comparison:
    def __init__(self, program: Program, index: int, facts: FileFacts) -> None:
        self._program = program
        self._old = program.files[index]
        known = {(unit.scope, unit.ordinal): number for number, unit in self._numbered()}
        next_number = len(program.units)
        numbers: list[int] = []
        self._unmatched: set[int] = set()
        """Numbers of units that were not there."""
        for unit in facts.units:
            number = known.pop((unit.scope, unit.ordinal), -1)
            if number < 0:
                number = next_number + len(self._unmatched)
                self._unmatched.add(number)
            numbers.append(number)
        self._missing = set(known.values())
        self._new = File(index, self._old.path, facts, numbers)

    def _numbered(self) -> list[tuple[int, Unit]]:
        return list(zip(self._old.units, self._old.facts.units, strict=True))

    def revision(self) -> Revision | None:
        old, new = self._old, self._new
        changed = {
            number
            for local, number in enumerate(new.units)
            if local in new.flow.code and self._is_changed(local, number)
        }
        inside_new = self._inside(new, changed)
        inside_old = self._inside(old, changed)
        if not self._unmatched <= inside_new or not self._missing <= inside_old:
            return None
        bodies = changed - inside_new
        reshaped: set[int] = set()
        records = dict(self._numbered())
        for local, number in enumerate(new.units):
            unit = new.facts.units[local]
            if number in inside_new:
                if unit.kind == "class":
                    return None
            elif number in bodies and unit.kind in ("module", "class"):
                return None
            elif not _looks_the_same(records[number], unit):
                if records[number].kind != unit.kind:
                    return None
                reshaped.add(number)
        if any(records[number].kind == "class" for number in inside_old):
            return None
        if not self._same_tables(changed | inside_old | inside_new):
            return None
        bodies |= reshaped
        result = Revision(new, bodies, reshaped)
        for local, number in enumerate(new.units):
            if local in new.flow.code and number in inside_new:
                if number in self._unmatched:
                    result.new.append(number)
                else:
                    result.inner.add(number)
            if local in new.flow.code and number in bodies | inside_new:
                result.stored.update(stored_names(new.flow.code[local], new.flow.words))
        code_units = {number for local, number in enumerate(old.units) if local in old.flow.code}
        result.gone = self._missing & code_units
        # A unit that has lost its code or got one is not seen here: kinds of units do not change under a name.
        for number in bodies | result.inner | result.gone:
            written, local = self._program.source(number)
            result.stored.subtract(stored_names(written.flow.code.get(local, []), written.flow.words))
        for local, number in enumerate(new.units):
            if local in new.flow.code and number not in bodies | inside_new:
                self._trace(local, number)
        return result

    def _inside(self, file: File, changed: set[int]) -> set[int]:
        """Units, however deep, inside the changed ones of a version."""
        found: set[int] = set()
        for local, number in enumerate(file.units):
            parent = file.facts.units[local].parent
            if parent >= 0 and (file.units[parent] in changed or file.units[parent] in found):
                found.add(number)
        return found

    def _is_changed(self, local: int, number: int) -> bool:
        if number in self._unmatched:
            return True
        written, its = self._program.source(number)
        before = written.flow.code.get(its)
        after = self._new.flow.code[local]
        if before is None or len(before) != len(after):
            return True
        words, new_words = written.flow.words, self._new.flow.words
        # Nodes that are equal number by number say the same only where the numbers mean the same.
        alike = words == new_words and list(written.units) == list(self._new.units)
        return any(
            (not alike or a != b) and not self._same(a, b, written, words, new_words)
            for a, b in zip(before, after, strict=True)
        )

    def _same(self, a: flow.Node, b: flow.Node, written: File, words: list[str], new_words: list[str]) -> bool:
        if a[0] != b[0] or len(a) != len(b):
            return False
        form = a[0]
        if form == flow.CALL:
            return self._same_call(a, b, words, new_words)
        operands = flow.OPERANDS[form]
        if form == flow.MAPPING:
            operands = "wn" * (len(a) // 2)
        elif operands.endswith("*"):
            operands = operands[:-2] + operands[-2] * (len(a) - len(operands) + 1)
        for kind, x, y in zip(operands, a[1:], b[1:], strict=True):
            if kind == "w":
                if x < 0 or y < 0:
                    if x != y:
                        return False
                elif words[x] != new_words[y]:
                    return False
            elif kind == "u":
                if (written.units[x] if x >= 0 else -1) != (self._new.units[y] if y >= 0 else -1):
                    return False
            elif kind == "p":
                if written.units[written.flow.places[x][0]] != self._new.units[self._new.flow.places[y][0]]:
                    return False
            elif kind not in "lcs" and x != y:
                return False
        return True

    def _same_call(self, a: flow.Node, b: flow.Node, words: list[str], new_words: list[str]) -> bool:
        tail = 4 + a[3]
        if a[2:tail] != b[2:tail]:
            return False
        for at in range(tail, len(a), 2):
            x, y = a[at], b[at]
            if a[at + 1] != b[at + 1] or (words[x] != new_words[y] if x >= 0 and y >= 0 else x != y):
                return False
        return True

    def _same_tables(self, changed: set[int]) -> bool:
        """Whether what others read of the file says the same; `changed`: units that nothing of it may name."""
        old, new = self._old, self._new
        a, b = old.flow, new.flow
        if (a.stars, a.public, a.public_open) != (b.stars, b.public, b.public_open) or a.exports != b.exports:
            return False
        if _numbered_pairs(a.assigned_outside, old) != (outside := _numbered_pairs(b.assigned_outside, new)):
            return False
        if any(unit in changed for pairs in outside.values() for unit, _ in pairs):
            return False
        members = {new.units[unit]: _numbered_pairs(names, new) for unit, names in b.members.items()}
        if {old.units[unit]: _numbered_pairs(names, old) for unit, names in a.members.items()} != members:
            return False
        for before, after in ((a.bases, b.bases), (a.metaclasses, b.metaclasses)):
            if {old.units[unit]: said for unit, said in before.items()} != {
                new.units[unit]: said for unit, said in after.items()
            }:
                return False
        inside = self._inside(old, changed) | self._inside(new, changed)
        return {old.units[unit]: one for unit, one in a.signatures.items() if old.units[unit] not in inside} == {
            new.units[unit]: one for unit, one in b.signatures.items() if new.units[unit] not in inside
        }

    def _trace(self, local: int, number: int) -> None:
        """Where the positions of an unchanged unit's code are now."""
        new = self._new
        written, its = self._program.source(number)
        before, after = written.flow.code[its], new.flow.code[local]
        self._moved(number, (written.facts.units[its].def_line, 0), (new.facts.units[local].def_line, 0))
        for a, b in zip(before, after, strict=True):
            form = a[0]
            if form in (flow.ATTRIBUTE, flow.ITEM, flow.ITEM_BY):
                self._moved(new.units[b[3]], (a[4], a[5]), (b[4], b[5]))
            elif form in (flow.CALL, flow.NEVER):
                then, now = written.facts.sites[a[1]], new.facts.sites[b[1]]
                new.kept_sites[b[1]] = (written, a[1])
                self._moved(new.units[now.unit], (then.line, then.column), (now.line, now.column))
            else:
                at = flow.OPERANDS[form].find("p")
                if at >= 0:
                    _, line, column = written.flow.places[a[1 + at]]
                    unit, new_line, new_column = new.flow.places[b[1 + at]]
                    self._moved(new.units[unit], (line, column), (new_line, new_column))

    def _moved(self, unit: int, before: tuple[int, int], after: tuple[int, int]) -> None:
        if before != after:
            self._new.moved[(unit, *before)] = after


def _numbered_pairs(names: dict[str, list[tuple[int, int]]], file: File) -> dict[str, list[tuple[int, int]]]:
    return {name: [(file.units[unit], node) for unit, node in pairs] for name, pairs in names.items()}


def _looks_the_same(before: Unit, after: Unit) -> bool:
    """Whether callers of a unit can tell its versions apart."""
    return (
        before.kind == after.kind
        and before.is_generator == after.is_generator
        and before.decorators == after.decorators
        and [(one.name, one.kind) for one in before.parameters] == [(one.name, one.kind) for one in after.parameters]
    )
