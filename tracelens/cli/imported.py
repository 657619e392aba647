"""What is said of an import: how much of the trace is on the code now, and why the rest is not."""

from __future__ import annotations

from collections.abc import Mapping

from tracelens_indexer.traces.importing import ImportSummary


def lines(summary: ImportSummary) -> list[str]:
    """Joined, external, ambiguous and unjoined frames, each class with its reasons."""
    if summary.already_imported:
        return [f"{summary.name}: already imported, nothing to do"]
    frames = summary.frames
    total = frames.joined + sum(sum(each.values()) for each in (frames.external, frames.ambiguous, frames.unjoined))
    told = [
        f"{summary.name} ({summary.format}): {summary.units:,} units of this workspace · "
        f"{total:,} different frames: {frames.joined:,} joined"
        f"{f' · {summary.redacted:,} values redacted' if summary.redacted else ''}"
    ]
    for title, reasons in (
        ("external", frames.external),
        ("ambiguous", frames.ambiguous),
        ("unjoined", frames.unjoined),
    ):
        if reasons:
            told.append(f"  {sum(reasons.values()):,} {title}: {_reasons(reasons)}")
    told += [f"    {example}" for example in frames.examples[:5]]
    if summary.skipped:
        told.append(f"  not read: {_reasons(summary.skipped)}")
    told += [f"  {note}" for note in summary.notes]
    return told


def _reasons(reasons: Mapping[str, int]) -> str:
    ordered = sorted(reasons.items(), key=lambda item: (-item[1], item[0]))
    shown = ", ".join(f"{reason} {n:,}" for reason, n in ordered[:5])
    return f"{shown}, …" if len(ordered) > 5 else shown
