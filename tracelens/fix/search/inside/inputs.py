"""Inputs like those that were seen, and what a function does with them, as text that can be compared."""

from __future__ import annotations

import copy
import random
import types
from typing import Any

_MOST_ITEMS = 400
_DEEPEST = 6


def like(seen: list[tuple[list[Any], dict[str, Any]]], most: int) -> list[tuple[list[Any], dict[str, Any]]]:
    """The inputs themselves, then variations of them; the same ones each time."""
    chance = random.Random(0)  # noqa: S311
    made = list(seen[:most])
    if not seen:
        return made
    for number in range(most * 2):
        if len(made) >= most:
            break
        positional, keywords = seen[chance.randrange(len(seen))]
        try:
            positional, keywords = copy.deepcopy((positional, keywords))
            if positional:
                at = chance.randrange(len(positional))
                for _ in range(1 + number % 2):
                    positional[at] = _varied(positional[at], chance, 0)
            elif keywords:
                name = chance.choice(sorted(keywords))
                keywords[name] = _varied(keywords[name], chance, 0)
        except Exception:
            continue
        made.append((positional, keywords))
    return made


def _varied(value: Any, chance: random.Random, depth: int) -> Any:
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        near = [value + 1, value - 1, value * 2, value // 2, 0, 1]
        # What was never negative is not made so: that would be another question.
        fitting = [one for one in near if one >= 0 or value < 0]
        return chance.choice(fitting)
    if isinstance(value, float):
        return chance.choice([value + 1.0, value - 0.5, value * 2, value / 2] if value > 1 else [value * 2, value / 2])
    if isinstance(value, str):
        return "".join(_varied_items(list(value), chance, depth, keep=True))
    if isinstance(value, (list, tuple)) and depth < _DEEPEST:
        made = _varied_items(list(value), chance, depth, keep=False)
        return type(value)(made) if type(value) in (list, tuple) else value
    if isinstance(value, (set, frozenset)):
        return type(value)(_varied_items(sorted(value, key=repr), chance, depth, keep=True))
    if isinstance(value, dict) and value and depth < _DEEPEST:
        key = chance.choice(sorted(value, key=repr))
        if chance.random() < 0.4:
            del value[key]
        else:
            value[key] = _varied(value[key], chance, depth + 1)
    return value


def _varied_items(items: list[Any], chance: random.Random, depth: int, keep: bool) -> list[Any]:
    if not items:
        return items
    at = chance.randrange(len(items))
    what = chance.randrange(6)
    if what == 0:
        del items[at]
    elif what == 1:
        items.insert(chance.randrange(len(items) + 1), copy.deepcopy(items[at]))
    elif what == 2 and len(items) > 1:
        other = chance.randrange(len(items))
        items[at], items[other] = items[other], items[at]
    elif what == 3:
        items.reverse()
    elif what == 4:
        items[:] = items[: at + 1]
    elif not keep:
        items[at] = _varied(items[at], chance, depth + 1)
    else:
        items[at] = items[chance.randrange(len(items))]
    return items


def settled(result: Any) -> Any:
    """A generator's items in place of the generator."""
    if isinstance(result, types.GeneratorType) or (hasattr(result, "__next__") and hasattr(result, "__iter__")):
        found = []
        for item in result:
            found.append(item)
            if len(found) >= _MOST_ITEMS * 10:
                break
        return found
    return result


def text_of(value: Any, depth: int = 0, seen: dict[int, int] | None = None) -> str:
    """Equal for equal values: sets in one order, instances by their fields, floats to nine digits."""
    seen = {} if seen is None else seen
    if isinstance(value, bool) or value is None or isinstance(value, (int, str, bytes)):
        text = repr(value)
        return text if len(text) < 4000 else text[:4000] + str(hash(text))
    if isinstance(value, float):
        return f"{value:.9g}"
    if id(value) in seen:
        return f"<{seen[id(value)]}>"
    seen[id(value)] = len(seen)
    if depth > _DEEPEST:
        return type(value).__name__
    name = type(value).__name__
    if isinstance(value, (list, tuple)):
        return name + "(" + ",".join(text_of(one, depth + 1, seen) for one in value[:_MOST_ITEMS]) + ")"
    if isinstance(value, (set, frozenset)):
        return name + "(" + ",".join(sorted(text_of(one, depth + 1, dict(seen)) for one in value)) + ")"
    if isinstance(value, dict):
        items = [(text_of(k, depth + 1, seen), text_of(v, depth + 1, seen)) for k, v in list(value.items())]
        return name + "{" + ",".join(f"{k}:{v}" for k, v in sorted(items)) + "}"
    fields = getattr(value, "__dict__", None)
    if isinstance(fields, dict) and not isinstance(value, (type, types.ModuleType, types.FunctionType)):
        return name + text_of(fields, depth + 1, seen)
    return name
