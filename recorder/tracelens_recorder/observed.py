"""Counts the values that parameters and results take in every call (`--exact`).

Told apart are plain values: None, bools, ints, floats, short strings and bytes, members of enums. Of all else the type
is counted, and of built-in containers and long strings the length. A value is described when it is met for the first
time (values.py: redacted, bounded, none of the program's code run); from then on it is an addition to a number. No
value of the program is held on to, only classes.

The accelerator (recorder-accelerator/src/values.c) does the same in C, by the same rules; this is the reference.
"""

from __future__ import annotations

from types import FrameType
from typing import TYPE_CHECKING, Any, Dict, List, Optional, Tuple

from tracelens_recorder import payloads
from tracelens_recorder.classes import is_enum, type_name
from tracelens_recorder.code import Function
from tracelens_recorder.redact import REDACTED, is_secret_name
from tracelens_recorder.values import observe

if TYPE_CHECKING:
    from tracelens_recorder.counters import Call, ThreadState
    from tracelens_recorder.session import Session

NONE, TRUE, FALSE, INT, BIG, FLOAT, STR, BYTES, MEMBER, SIZED, TYPE, OTHERS, ANY = range(13)
"""What is told apart. OTHERS: values of one type beyond MAX_DISTINCT; ANY: types beyond it."""
MAX_DISTINCT = 64
"""Entries of one slot."""
MAX_TEXT = 200
"""Characters or bytes of a string that is told apart by its content."""
MAX_ENTRIES = 60_000
"""Of all slots."""
MAX_PARAMETERS = 24
"""Of one function, whose values are counted."""
RESULT = "return"
"""The slot of what is returned. A keyword: no parameter has this name."""

Key = Tuple[int, object, int]
_LENGTHS = {kind: kind.__len__ for kind in (str, bytes, bytearray, list, tuple, dict, set, frozenset)}
_BY_ID: Dict[int, Any] = {id(kind): length for kind, length in _LENGTHS.items()}


class Entry:
    """One value, or kind of values, of one slot."""

    __slots__ = ("high", "id", "low")

    def __init__(self, number: int) -> None:
        self.id = number
        self.low: Optional[float] = None
        self.high: Optional[float] = None
        """Of OTHERS: the range of the numbers, or lengths."""

    def widen(self, key: Key) -> None:
        measure = key[1] if key[0] in (INT, FLOAT) else key[2] if key[0] in (STR, BYTES, SIZED) else None
        if type(measure) not in (int, float) or measure != measure or measure in (float("inf"), float("-inf")):
            return
        number = float(measure)  # type: ignore[arg-type]
        self.low = number if self.low is None or number < self.low else self.low
        self.high = number if self.high is None or number > self.high else self.high


class _Slot:
    """A parameter, or what is returned."""

    __slots__ = ("distinct", "entries")

    def __init__(self) -> None:
        self.entries: Dict[Key, Entry] = {}
        self.distinct = 0
        """Of the entries, those that are not of all other values: kept, since other threads add entries while one
        would count them."""


class ObservedValues:
    """The values of one recording, counted per thread."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._slots: Dict[Tuple[int, str], _Slot] = {}
        self._ranged: Dict[int, Entry] = {}
        self._types: Dict[int, Tuple[type, bool]] = {}
        """By id(): classes, which are held on to, and whether their instances are members of an enum."""
        self._entries = 0

    def arguments(self, function: Function, frame: FrameType) -> List[Entry]:
        """What a call was made with: at its start."""
        parameters = function.parameters
        if not parameters:
            return []
        values = frame.f_locals
        found = [self._entry(function, name, values[name]) for name in parameters[:MAX_PARAMETERS] if name in values]
        return [entry for entry in found if entry is not None]

    def returned(self, call: Call, value: object) -> None:
        result = self._entry(call.function, RESULT, value)
        entries = call.values if call.values is not None else []
        self._count(call.thread, entries if result is None else [*entries, result], "")

    def raised(self, call: Call, kind: str) -> None:
        self._count(call.thread, call.values or [], kind)

    def collect(self, threads: List[ThreadState]) -> List[Tuple[int, Any]]:
        """What was added since the last time, as records."""
        sums: Dict[Tuple[int, str], int] = {}
        for thread in threads:
            for key, counted in list(thread.observed.items()):
                new = counted[0] - counted[1]
                if new:
                    counted[1] += new
                    sums[key] = sums.get(key, 0) + new
        rows: List[Tuple[int, Any]] = []
        for (number, outcome), n in sums.items():
            entry = self._ranged.get(number)
            low, high = (entry.low, entry.high) if entry is not None else (None, None)
            rows.append((payloads.VALUE_COUNTS, [number, outcome, n, low, high]))
        return rows

    def _count(self, thread: ThreadState, entries: List[Entry], outcome: str) -> None:
        observed = thread.observed
        for entry in entries:
            key = (entry.id, outcome)
            counted = observed.get(key)
            if counted is None:
                counted = observed[key] = [0, 0]
            counted[0] += 1

    def _entry(self, function: Function, name: str, value: object) -> Optional[Entry]:
        slot = self._slots.get((function.index, name))
        if slot is None:
            slot = self._slots.setdefault((function.index, name), _Slot())
        entries = slot.entries
        key = met = self._key(value, is_secret_name(name))
        entry = entries.get(key)
        if entry is not None:
            return entry
        crowded = slot.distinct >= MAX_DISTINCT
        if key[0] > FALSE and (crowded or self._entries >= MAX_ENTRIES):
            key = (OTHERS, 0 if crowded and key[0] == TYPE else id(type(value)), 0)
            entry = entries.get(key)
            if entry is not None:
                entry.widen(met)
                return entry
            if self._entries >= 2 * MAX_ENTRIES:
                return None
        with self._session.lock:
            entry = entries.get(key)
            if entry is not None:
                return entry
            entry = entries[key] = Entry(self._entries)
            self._entries += 1
            slot.distinct += key[0] != OTHERS
        if key[0] == OTHERS:
            self._ranged[entry.id] = entry
            entry.widen(met)
        describe(self._session, entry.id, function, name, value, ANY if key[:2] == (OTHERS, 0) else key[0])
        return entry

    def _key(self, value: object, secret: bool) -> Key:
        if value is None:
            return (NONE, 0, 0)
        if value is True or value is False:
            return (TRUE if value else FALSE, 0, 0)
        kind = type(value)
        if secret:
            return (TYPE, id(kind), 0)
        if kind is int:
            number: Any = value
            return (INT, number, 0) if -(1 << 63) <= number < 1 << 63 else (BIG, 0, number.bit_length())
        if kind is float:
            return (FLOAT, float.hex(value) if value != value or not value else value, 0)  # type: ignore[arg-type]
        length = _BY_ID.get(id(kind))
        if length is not None:
            size = length(value)
            if (kind is str or kind is bytes) and size <= MAX_TEXT:
                return (STR if kind is str else BYTES, value, size)
            return (SIZED, id(kind), size)
        known = self._types.get(id(kind))
        if known is None:
            known = self._types[id(kind)] = (kind, is_enum(kind))
        return (MEMBER, id(value), 0) if known[1] else (TYPE, id(kind), 0)


def describe(session: Session, number: int, function: Function, name: str, value: object, kind: int) -> None:
    """Write down what an entry stands for: [id, code, slot, type, text or null, number, size]. No text: values of this
    type, or of this size, whatever they are; no type: of any."""
    if kind == INT and not is_secret_name(name) and -1_000_000_000 < value < 1_000_000_000:  # type: ignore[operator]
        # no number of a card: shown as it is
        row = [number, function.index, name, "int", int.__repr__(value), float(value), None]  # type: ignore[arg-type]
        session.described.append(row)
        return
    text: Optional[str] = None
    shown: Optional[float] = None
    size: Optional[int] = None
    said = "" if kind == ANY else type_name(type(value))
    if kind == TYPE and is_secret_name(name):
        text = REDACTED
        session.redacted += 1
    elif kind == SIZED:
        size = _BY_ID[id(type(value))](value)
    elif kind < SIZED:
        said, text, shown, size, found = observe(value, name)
        session.redacted += found
    session.described.append([number, function.index, name, said, text, shown, size])
