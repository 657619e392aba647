"""The numbers of a unit in one line: the same in hover, lens, hint and terminal."""

from __future__ import annotations

from tracelens.answers import words
from tracelens_indexer.profiles.rows import AnchorState
from tracelens_indexer.store.answers import FailureRecord, Profile

LONGEST_HINT = 30
_FEW = 20
"""Fewer timed calls than this have no 95th percentile to speak of."""


def how_often(profile: Profile) -> str:
    """ "1,884 calls", "≥ 942 calls", "1,200 resumes", "~310 samples"; "" when only failures are known."""
    if profile.calls:
        return words.counted(profile.calls, "call", profile.counting)
    if profile.resumes:
        return words.counted(profile.resumes, "resume", profile.counting)
    if profile.samples_total:
        return words.counted(round(profile.samples_total) or 1, "sample", "estimated")
    return ""


def parts(profile: Profile) -> list[str]:
    """ "1,884 calls", "p50 0.2 ms", "p95 0.4 ms", "~12 % of run", "3 failed"; what is not known is left out."""
    found = [how_often(profile)]
    if profile.resumes and profile.calls:
        found.append(words.counted(profile.resumes, "resume", profile.counting))
    if profile.timed == 1:
        found.append(words.duration(profile.total_ns))
    elif profile.p50_ns is not None and profile.p95_ns is not None:
        found.append(f"p50 {words.duration(profile.p50_ns)}")
        # The 95th percentile of a few calls would hide the slowest of them.
        if profile.timed < _FEW and profile.max_ns is not None:
            found.append(f"max {words.duration(profile.max_ns)}")
        else:
            found.append(f"p95 {words.duration(profile.p95_ns)}")
    elif profile.timed:
        found.append(f"mean {words.duration(profile.total_ns / profile.timed)}")
    if profile.total_share:
        found.append(f"{words.share(profile.total_share, profile.share_counting)} of run")
    if profile.errors:
        found.append(f"{words.count(profile.errors, profile.counting)} failed")
    return [part for part in found if part]


def failed(profile: Profile, failures: list[FailureRecord]) -> str:
    """ "3 of 1,884 calls failed: ZeroDivisionError"."""
    n = sum(failure.n for failure in failures)
    kinds = list(dict.fromkeys(words.type_name(failure.type) for failure in failures))
    named = ", ".join(kinds[:2]) + (f", {len(kinds) - 2} more" if len(kinds) > 2 else "")
    return f"{of_calls(n, profile)} failed: {named}"


def of_calls(n: int, profile: Profile) -> str:
    """ "3 of 1,884 calls", "all 3 calls", "its only call"; without "of …" where calls were not counted."""
    if profile.calls < n:
        return f"{n:,} call{'' if n == 1 else 's'}"
    if profile.calls == n and profile.counting == "exact":
        return "its only call" if n == 1 else f"all {n:,} calls"
    return f"{n:,} of {words.counted(profile.calls, 'call', profile.counting)}"


def own_share(profile: Profile) -> str:
    """ "~61 % of run in itself"; "" when it is not known."""
    if not profile.self_share:
        return ""
    return f"{words.share(profile.self_share, profile.share_counting)} of run in itself"


def hot(profile: Profile) -> str:
    """ "~61 % of run in itself · ≥ 942 calls · p50 3.1 ms"."""
    found = [own_share(profile), how_often(profile)]
    if profile.p50_ns is not None:
        found.append(f"p50 {words.duration(profile.p50_ns)}")
    return " · ".join(part for part in found if part)


def short(profile: Profile, state: AnchorState, failures: int) -> str:
    """At most 30 characters, for the end of a line: "1,884 calls · 3 errors", "≥942 calls · p50 3.1ms · ~61%"."""
    often = how_often(profile).replace("≥ ", "≥")
    optional = []
    if failures:
        optional.append(f"{failures:,} error{'' if failures == 1 else 's'}")
    else:
        if profile.p50_ns is not None:
            took = words.duration(profile.p50_ns).replace(" ", "")
            optional.append(took if profile.timed == 1 else f"p50 {took}")
        if profile.self_share and profile.self_share >= 0.01:
            optional.append(words.share(profile.self_share, profile.share_counting).replace(" ", ""))
    was = "was " if state == "stale" else ""
    for chosen in (optional, optional[-1:], []):
        text = was + " · ".join(part for part in (often, *chosen) if part)
        if text != was and len(text) <= LONGEST_HINT:
            return text
    return ""
