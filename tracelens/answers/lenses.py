"""Code lenses: only above the hottest units of the workspace and those that failed.

The set follows from the index alone, never from what is being typed, so that no line of code jumps.
"""

from __future__ import annotations

from dataclasses import dataclass

from tracelens.answers import headline
from tracelens.answers.document import DocumentSnapshot, Position, Span, in_document, placed, state_now
from tracelens.answers.hover import SHOW_CALLS
from tracelens.answers.snapshot import IndexSnapshot, unexpected_here
from tracelens_indexer.store.answers import Profile


@dataclass(frozen=True, slots=True)
class Lens:
    span: Span
    title: str
    command: str
    argument: str
    """Id of the failure or the unit."""


def lenses(document: DocumentSnapshot, snapshot: IndexSnapshot, most: int) -> list[Lens]:
    """The lenses of a file, in source order; no more than `most`, the hottest before those that failed most."""
    profiles = snapshot.profiles_in(document.path)
    wanted = {identity: p for identity, p in profiles.items() if identity in snapshot.hottest or unexpected_here(p)}
    worst = sorted(wanted.values(), key=lambda p: (p.unit.id not in snapshot.hottest, -p.errors, p.unit.first_line))
    kept = {profile.unit.id: profile for profile in worst[:most]}
    found = []
    for unit, profile in in_document(kept, placed(document, snapshot.units_in(document.path))):
        if unit.kind == "module":
            continue
        line = unit.first_line - 1
        start = Position(line, document.whole_line(line).start.column)
        stale = "changed since recorded: " if state_now(profile, unit) == "stale" else ""
        title, argument = _told(profile, snapshot)
        found.append(Lens(Span(start, document.whole_line(line).end), stale + title, SHOW_CALLS, argument))
    return found


def _told(profile: Profile, snapshot: IndexSnapshot) -> tuple[str, str]:
    """Title and what it leads to: failures before heat."""
    failures = unexpected_here(profile)
    if failures:
        title = headline.failed(profile, failures)
        if profile.unit.id in snapshot.hottest:
            title += f" · {headline.own_share(profile)}"
        return title, failures[0].id
    return headline.hot(profile), f"u:{profile.unit.id:x}"
