"""What a parameter or a return took, in one line, and as a small histogram."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from tracelens.answers import headline, words
from tracelens.answers.text import Bars, Line, Piece, code, joined, line
from tracelens_indexer.profiles.rows import RESULT
from tracelens_indexer.store.answers import CaptureRecord, FailureRecord, Observation, Profile, UnitRecord, Value

_FEW = 4
"""Up to so many distinct values are listed; more are described."""
_USUAL = 0.25
"""A value that makes up this share is worth naming among many."""
_BARS = 8
_TELLING_LENGTH = 40
_NUMBER = re.compile(r"-?\d+(\.\d+)?(e[-+]?\d+)?")
_SCALAR = re.compile(r"-?[\d.]+(e[-+]?\d+)?|-?inf|nan|None|True|False|b?'[^']*'|b?\"[^\"]*\"|\[\]|\{\}|\(\)")
_COVERED_BY: dict[str, set[str]] = {
    "float": {"float", "int", "bool"},
    "int": {"int", "bool"},
    "complex": {"complex", "float", "int", "bool"},
    "str": {"str"},
    "bytes": {"bytes"},
    "bool": {"bool"},
    "list": {"list"},
    "dict": {"dict", "defaultdict", "OrderedDict", "Counter"},
    "tuple": {"tuple"},
    "set": {"set"},
    "None": {"None", "NoneType"},
}
"""Annotations that are understood well enough to say that a value contradicts them."""


NONE = ("None", "NoneType")
"""How recordings and traces call the type of None."""


def biased(profile: Profile) -> bool:
    """Whether failing calls are over-represented among the values: all of them are kept, but not all others."""
    return 0 < profile.captured < profile.calls


def some_only(profile: Profile) -> bool:
    """Whether values of some calls alone are known; of calls that nobody counted, none of the values is either."""
    return biased(profile) or profile.counting != "exact"


def slot_line(
    observation: Observation, annotation: str = "", returned_only: bool = False, some_only: bool = False
) -> Line:
    """ "price  float, 0.0 … 120.5, usually 9.99 · 0.0 in 3 calls (each failed)".

    `returned_only`: shares are told of the calls that returned, because failing ones are over-represented.
    `some_only`: values of some calls alone are known: nothing is said to be always so.
    """
    label = "→" if observation.slot == RESULT else words.clean(observation.slot, words.LONGEST_NAME)
    totals = _totals(observation, returned_only)
    listed = sum(totals.values())
    known = [key for key in totals if key[1] is not None]
    failing = _failing(observation)
    pieces: list[Piece] = []
    if known and len(known) <= _FEW and listed and len(known) == len(totals):
        if len(known) == 1 and failing:
            pieces = [_value(known[0]), Piece(" where it returned" if some_only else " whenever it returned")]
        elif len(known) == 1:
            pieces = [Piece("seen " if some_only else "always "), _value(known[0])]
        else:
            pieces = joined([_value(key), Piece(f" {words.percentage(totals[key], listed)}")] for key in known)
    else:
        pieces = _described(observation, totals, listed)
    pieces += failing
    if observation.slot != RESULT and contradicted(annotation, observation):
        pieces += [Piece("   (annotated "), code(words.clean(annotation)), Piece(")")]
    return line(*pieces, label=label)


def short(observation: Observation, profile: Profile) -> str:
    """ "0.0 … 120.5", "'gold' 62 %", "always 3", "None ~1 %", "len 0 … 12": the one thing most worth knowing of a
    parameter, for the end of a parameter; "" when there is none."""
    totals = _totals(observation, biased(profile))
    partly = some_only(profile)
    whole = sum(totals.values())
    known = [key for key in totals if key[1] is not None]
    none = sum(n for (kind, _), n in totals.items() if kind in NONE)
    found = [r for r in observation.ranges if r.low is not None and r.high is not None and r.type != "bool"]
    text = words.clean(known[0][1] or "", headline.LONGEST_HINT) if known else ""
    about = "~" if partly else ""
    if len(totals) == 1 and known:
        return f"{'seen' if partly else 'always'} {text}"
    nones = f"None {about}{words.percentage(none, whole)}".replace("~<", "<") if none else ""
    if len(found) == 1 and found[0].measures == "value" and found[0].low != found[0].high:
        low, high = (words.number(one, found[0].type) for one in (found[0].low or 0.0, found[0].high or 0.0))
        return f"{low} … {high}{f', {nones}' if nones else ''}"
    if nones and none < whole:
        return nones
    if known and whole and totals[known[0]] / whole >= _USUAL:
        return f"{text} {about}{words.percentage(totals[known[0]], whole)}"
    if len(found) == 1 and found[0].low != found[0].high:
        return f"len {words.number(found[0].low or 0.0)} … {words.number(found[0].high or 0.0)}"
    return ""


def histogram(observation: Observation, returned_only: bool = False) -> Bars:
    """The most frequent values, those beyond the cap together; `returned_only` as in `slot_line`."""
    totals = _totals(observation, returned_only)
    whole = sum(totals.values())
    each_failed = _always_failing(observation)
    rows = []
    known = [key for key in totals if key[1] is not None]
    for key in known[:_BARS]:
        note = words.percentage(totals[key], whole) + (" (each failed)" if key in each_failed else "")
        rows.append((words.clean(key[1] or "", 32), totals[key] / whole, note))
    rest = whole - sum(totals[key] for key in known[:_BARS])
    if rest > 0:
        rows.append(("others", rest / whole, words.percentage(rest, whole)))
    for key, n in each_failed.items():
        if key not in totals and _telling(key[1], n):
            rows.append((words.clean(key[1] or "", 32), 0.0, f"{words.counted(n, 'call')}, each failed"))
    return Bars(tuple(rows))


def from_caller(kept: Sequence[CaptureRecord], caller: UnitRecord) -> list[tuple[str, str]]:
    """(parameter, what it took) of the kept calls that came from one caller: "0.0 … 9.99", "'gold', None"."""
    seen: dict[str, dict[str, str]] = {}
    for one in kept:
        if one.caller is None or one.caller[1] != caller.name or not _same_file(one.caller[0], caller.path):
            continue
        for name, kind, text in one.arguments:
            if name not in ("self", "cls"):
                seen.setdefault(name, {})[text] = kind
    return [(name, told) for name, texts in seen.items() if (told := _range_or_few(list(texts)))]


def from_site(profile: Profile, caller: int, line: int) -> list[tuple[str, str]]:
    """(parameter, what it was given) at one of several call sites: 1-based line in the caller, 0 for any of its."""
    seen: dict[str, dict[str | None, None]] = {}
    for site in profile.sites:
        if site.caller.id == caller and line in (0, site.site_line) and site.slot not in ("self", "cls"):
            seen.setdefault(site.slot, {}).update(dict.fromkeys(text for text, _ in site.values))
    # With others beyond the cap, what is listed is not all.
    return [
        (name, told)
        for name, texts in seen.items()
        if None not in texts and (told := _range_or_few([text for text in texts if text is not None]))
    ]


def _range_or_few(texts: list[str]) -> str:
    """ "0.0 … 9.99" of numbers, "'gold', None" of few others, else ""."""
    numbers = sorted(float(text) for text in texts if _NUMBER.fullmatch(text))
    if len(numbers) == len(texts) > 1:
        kind = "float" if any("." in text or "e" in text for text in texts) else "int"
        return f"{words.number(numbers[0], kind)} … {words.number(numbers[-1], kind)}"
    if len(texts) <= _FEW and all(len(text) <= _TELLING_LENGTH for text in texts):
        return ", ".join(words.clean(text) for text in texts)
    return ""


def _same_file(recorded: str, path: str) -> bool:
    """Whether a path as a trace has it, which may be absolute or of another machine, is a path in the workspace."""
    recorded = recorded.replace("\\", "/")
    return recorded == path or recorded.endswith(f"/{path}") or path.endswith(f"/{recorded}")


def common_to_failing(profile: Profile, failure: FailureRecord) -> list[tuple[str, str]]:
    """(parameter, value) that all failing calls share and that other calls seldom have, at most two."""
    found = []
    for observation in profile.observations:
        if observation.slot in (RESULT, "self", "cls"):
            continue
        failing = Counter[str | None]()
        others = Counter[str | None]()
        for value in observation.values:
            (failing if value.outcome == failure.type else others)[value.text] += value.n
        if len(failing) != 1:
            continue
        text, n = next(iter(failing.items()))
        seen = sum(others.values())
        if not _telling(text, n) or (seen and others[text] > seen * 0.1) or (not seen and n < 2):
            continue
        assert text is not None
        found.append((observation.slot, text))
    return found[:2]


def _telling(text: str | None, n: int) -> bool:
    """Whether it says something that calls with this value failed.

    Of a single failing call every object is one that no other call had; a number, a short text or None is not.
    """
    if text is None or len(text) > _TELLING_LENGTH:
        return False
    return n > 1 or _SCALAR.fullmatch(text) is not None


def contradicted(annotation: str, observation: Observation) -> bool:
    """Whether values of a type were seen that a plain annotation does not allow. Unsure is no."""
    return bool(denied_by(annotation, observation))


def denied_by(annotation: str, observation: Observation) -> dict[str, int]:
    """Types that were seen and that an annotation does not allow, with how often; none where that is not sure."""
    allowed = _allowed(annotation)
    denied = Counter[str]()
    for value in observation.values if allowed else ():
        if value.type and value.type not in allowed:
            denied[value.type] += value.n
    return dict(denied.most_common())


def understood(annotation: str) -> bool:
    """Whether it can be said of a value that it contradicts an annotation."""
    return bool(_allowed(annotation))


def _allowed(annotation: str) -> set[str]:
    annotation = annotation.strip().strip("\"'")
    if optional := re.fullmatch(r"(?:typing\.)?Optional\[(.+)\]", annotation):
        annotation = f"{optional[1]} | None"
    allowed: set[str] = set()
    for part in annotation.split("|"):
        base = part.strip().partition("[")[0]
        if base not in _COVERED_BY:
            return set()
        allowed |= _COVERED_BY[base]
    return allowed


def _totals(observation: Observation, returned_only: bool) -> dict[tuple[str, str | None], int]:
    """(type, text) to calls, most frequent first, those beyond the cap last."""
    totals = Counter[tuple[str, str | None]]()
    returned = [value for value in observation.values if not value.outcome]
    for value in returned if returned_only and returned else observation.values:
        totals[value.type if value.text is not None else "", value.text] += value.n
    return dict(sorted(totals.items(), key=lambda item: (item[0][1] is None, -item[1], item[0][1] or "")))


def _described(observation: Observation, totals: dict[tuple[str, str | None], int], listed: int) -> list[Piece]:
    """Types with their ranges, then the usual value."""
    pieces: list[Piece] = []
    whole = sum(r.n for r in observation.ranges) or listed
    for index, found in enumerate(observation.ranges[:3]):
        part = [code(words.type_name(found.type))] if found.type else []
        if len(observation.ranges) > 1 and whole:
            part.append(Piece(f" {words.percentage(found.n, whole)}"))
        if found.low is not None and found.high is not None and found.type != "bool":
            low, high = words.number(found.low, found.type), words.number(found.high, found.type)
            span = low if low == high else f"{low} … {high}"
            part.append(Piece(f", {'length ' if found.measures == 'size' else ''}{span}"))
        if index and part:
            pieces.append(Piece("; "))
        pieces += part
    if not pieces:
        types = list(dict.fromkeys(kind for kind, _ in totals if kind))[:3]
        pieces = joined([code(words.type_name(kind)) for kind in types])
    top = next(iter(totals), None)
    if top is not None and top[1] is not None and listed:
        often = totals[top] / listed
        several = len([key for key in totals if key[1] is not None]) > 1 or len(totals) > 1
        if several and often >= _USUAL:
            pieces += [Piece(", usually " if pieces else "usually "), _value(top)]
        elif not any(r.low is not None for r in observation.ranges):
            examples = [_value(key) for key in list(totals)[:2] if key[1] is not None]
            pieces += [Piece(", such as " if pieces else "such as "), *joined(examples)]
    return pieces or [Piece(f"{words.counted(observation.n, 'value')} not kept")]


def _always_failing(observation: Observation) -> dict[tuple[str, str | None], int]:
    good, bad = Counter[tuple[str, str | None]](), Counter[tuple[str, str | None]]()
    for value in observation.values:
        (bad if value.outcome else good)[value.type, value.text] += value.n
    return {key: n for key, n in bad.items() if key[1] is not None and not good[key]}


def _failing(observation: Observation) -> list[Piece]:
    """ "· 0.0 in 3 calls (each failed)", only where other values did not fail."""
    bad = {key: n for key, n in _always_failing(observation).items() if _telling(key[1], n)}
    if not bad or not any(not value.outcome for value in observation.values):
        return []
    key, n = max(bad.items(), key=lambda item: item[1])
    told = "each failed" if n > 1 else "it failed"
    more = f", {len(bad) - 1} more such" if len(bad) > 1 else ""
    return [Piece(" · "), _value(key), Piece(f" in {words.counted(n, 'call')} ({told}{more})")]


def _value(key: tuple[str, str | None]) -> Piece:
    return code(words.clean(key[1] or ""))


def outcome_count(values: tuple[Value, ...]) -> int:
    """Number of calls among the values that failed."""
    return sum(value.n for value in values if value.outcome)
