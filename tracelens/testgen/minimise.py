"""Arguments made smaller as long as the call still ends the same way: what is left is what matters.

Works on the encoding of tracelens_recorder.replayable. Which smaller ones do is decided by making the calls.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from tracelens.replay.rerun import Outcome, RecordedCall

_ROUNDS = 8
_AT_ONCE = 10
_SMALL = 160
"""Characters of an encoding that reads well as it is."""
_LONG_TEXT = 24
_ITEMS = {
    "list": 1,
    "tuple": 1,
    "set": 1,
    "frozenset": 1,
    "dict": 1,
    "ordered": 1,
    "counter": 1,
    "default": 2,
    "deque": 2,
}
"""Kinds with parts, and where these stand."""

Again = Callable[[Sequence[RecordedCall]], Mapping[str, Outcome]]
Path = tuple[int, ...]


def minimised(call: RecordedCall, again: Again) -> RecordedCall:
    """The call with the smallest arguments that were found within a few rounds; itself where none are smaller.

    again: makes calls and gives their outcomes by id.
    """
    before = json.dumps(call.arguments.get("arguments"))
    if len(before) <= _SMALL or '["ref"' in before or '["opaque"' in before:
        return call
    wanted = again([call]).get(call.id)
    if wanted is None or wanted.kind not in ("returned", "raised"):
        return call
    best = call
    for _ in range(_ROUNDS):
        smaller = sorted(_smaller(best.arguments["arguments"]), key=lambda one: len(json.dumps(one)))[:_AT_ONCE]
        tried = [
            replace(best, id=f"{call.id}/{number}", arguments={**best.arguments, "arguments": one})
            for number, one in enumerate(smaller)
        ]
        outcomes = again(tried) if tried else {}
        fitting = [one for one in tried if one.id in outcomes and same(wanted, outcomes[one.id])]
        if not fitting:
            break
        best = replace(fitting[0], id=call.id)
        if len(json.dumps(best.arguments["arguments"])) <= _SMALL:
            break
    return best


def same(wanted: Outcome, outcome: Outcome) -> bool:
    """Whether two calls ended the same way, as far as a caller can tell."""
    return (wanted.kind, wanted.type, wanted.message, wanted.line, wanted.value) == (
        outcome.kind,
        outcome.type,
        outcome.message,
        outcome.line,
        outcome.value,
    )


def _smaller(arguments: list[Any]) -> Iterator[list[Any]]:
    """Arguments with one container or text cut, the deep cuts first."""
    for path, node in _nodes([["list", [pair[1] for pair in arguments]]]):
        if not path:
            continue
        for cut in _cuts(node):
            made = _replaced(["list", [pair[1] for pair in arguments]], path, cut)
            yield [[pair[0], value] for pair, value in zip(arguments, made[1], strict=True)]


def _nodes(top: list[Any]) -> Iterator[tuple[Path, Any]]:
    """Values inside a list of values, with the way to each: the indexes from the list of arguments on."""
    waiting: list[tuple[Path, Any]] = [((), top[0])]
    while waiting:
        path, node = waiting.pop()
        yield path, node
        if isinstance(node, list) and node:
            for number, part in enumerate(node):
                text = isinstance(part, str) and number and len(part) > _LONG_TEXT and node[0] in _ITEMS
                if isinstance(part, list) or text:
                    waiting.append(((*path, number), part))


def _cuts(node: Any) -> Iterator[Any]:
    if isinstance(node, str):
        yield node[:8]
        return
    if not node or not isinstance(node[0], str) or node[0] not in _ITEMS or len(node) <= _ITEMS[node[0]]:
        return
    at = _ITEMS[node[0]]
    items = node[at]
    if not isinstance(items, list) or not items:
        return
    size = len(items)
    parts = [items[: size // 2], items[size // 2 :]]
    if size > 4:
        parts += [items[:1], items[-1:], items[size // 4 :], items[: -(size // 4)]]
    else:
        parts += [items[:number] + items[number + 1 :] for number in range(size)]
    for kept in parts:
        if len(kept) < size and (kept or size > 1):
            yield [*node[:at], kept, *node[at + 1 :]]


def _replaced(node: Any, path: Path, by: Any) -> Any:
    if not path:
        return by
    return [_replaced(one, path[1:], by) if number == path[0] else one for number, one in enumerate(node)]


def without_redactions(call: RecordedCall) -> RecordedCall:
    """The call with plain words where secrets were taken out: a call of its own, whose result is what it then gives."""
    if not call.redacted:
        return call
    text = json.dumps(dict(call.arguments)).replace("[redacted]", "redacted")
    return replace(call, arguments={**json.loads(text), "redacted": 0}, result=None)


def without_environment(call: RecordedCall) -> RecordedCall | None:
    """The call where the variables that the program's code names are not set; None where none were."""
    world = call.arguments.get("world") or {}
    if not world.get("environment"):
        return None
    return replace(call, arguments={**call.arguments, "world": {**world, "environment": {}}})
