"""Recorded calls that were made again, as a person reads them."""

from __future__ import annotations

from collections import Counter

from tracelens.answers import words
from tracelens.replay.past import Again, AgainCall

_LONGEST = 200
_ARGUMENT = 80
_MARKS = {"same": "same", "other": "other outcome", "undetermined": "undetermined"}


def headline(again: Again) -> str:
    """ "12 of 14 recorded calls still give the same result, 1 another, 1 could not be told"; for an editor too."""
    if again.problem:
        return f"no recorded call was made again: {words.clean(again.problem, 300)}"
    same, other, open_ = (again.count(state) for state in ("same", "other", "undetermined"))
    what = words.counted(len(again.calls), "recorded call")
    give = "gives" if len(again.calls) == 1 else "give"
    if again.instead:
        told = f"{same} of {what} {give} the same with {', '.join(f'{name}={text}' for name, text in again.instead)}"
    else:
        told = f"{same} of {what} still {give} the same result"
    told += f", {other} another" if other else ""
    return told + (f", {open_} could not be told" if open_ else "")


def lines(again: Again, *, all_calls: bool = False) -> list[str]:
    """What differs, call by call; those that are the same in one line, or each when `all_calls`."""
    told = [f"{words.clean(again.unit.qualname, _LONGEST)}: {headline(again)}"]
    if again.changed:
        told.append(f"{words.counted(again.changed, 'call')} recorded before its source became what it is now")
    if again.sandbox:
        told.append(f"sandbox: {again.sandbox}")
    every = all_calls or bool(again.instead)
    shown = [call for call in again.calls if every or call.state == "other"]
    for call in shown:
        told += ["", *_one(call)]
    if not every and not again.problem:
        reasons = Counter(call.difference for call in again.calls if call.state == "undetermined")
        told += ["", *(f"undetermined, {n}×: {words.clean(why, _LONGEST)}" for why, n in reasons.most_common(5))]
    noted = Counter(call.note for call in again.calls if call.note and call not in shown)
    told += [f"of {n} that give the same: {note}" for note, n in noted.most_common()]
    return told


def _one(call: AgainCall) -> list[str]:
    capture = call.capture
    arguments = ", ".join(f"{words.clean(name)}={words.clean(text, _ARGUMENT)}" for name, _, text in capture.arguments)
    told = [f"{capture.id}  {_MARKS[call.state]}  {words.clean(capture.unit.name, words.LONGEST_NAME)}({arguments})"]
    if call.difference:
        told.append(f"  {words.clean(call.difference, 2 * _LONGEST)}")
    elif call.outcome is not None and call.outcome.kind == "returned":
        told.append(f"  → {words.clean(call.outcome.text, _LONGEST)}")
    if call.note:
        told.append(f"  {call.note}")
    return told
