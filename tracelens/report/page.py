"""The page: sections of plain HTML that read well without its script, which adds search and zoom.

Text is escaped at one place, `_text`; names and values never reach the script, an attribute that acts, or a style.
"""

from __future__ import annotations

import html
import time
from base64 import b64encode
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from importlib import resources

from tracelens import __version__
from tracelens.answers import calls, failures, flame, headline, hover, runs, words
from tracelens.answers.choose import short_id
from tracelens.answers.snapshot import IndexSnapshot, raised_here
from tracelens.answers.text import Block, Line
from tracelens_indexer.store.answers import FailureRecord, Profile

MOST_UNITS = 300
"""Units with a section of their own; the rest are said to be left out."""
_MOST_FAILURES = 200
_CALLS = 3
_BAR_HEIGHT = 20
_STOPPED = " Of units with ≥ counting stopped: the rest of their time is in the bars of their callers."


@dataclass(frozen=True, slots=True)
class _Contents:
    title: str
    snapshot: IndexSnapshot
    profiles: list[Profile]
    left_out: int
    failures: list[FailureRecord]


def page(snapshot: IndexSnapshot) -> str:
    """The whole file as text."""
    found = snapshot.index.hot(snapshot.runs, MOST_UNITS * 10)
    everything = snapshot.index.failures(snapshot.runs)
    contents = _Contents(
        title=snapshot.root.name,
        snapshot=snapshot,
        profiles=found[:MOST_UNITS],
        left_out=max(0, len(found) - MOST_UNITS),
        failures=[failure for failure in everything if failure.origin][:_MOST_FAILURES],
    )
    style = resources.files(__package__).joinpath("report.css").read_text("utf-8")
    script = resources.files(__package__).joinpath("report.js").read_text("utf-8")
    policy = f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'; base-uri 'none'"
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en"><head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{_text(policy, 1_000)}; form-action \'none\'">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<meta name="color-scheme" content="light dark"><meta name="referrer" content="no-referrer">',
            f"<title>{_text(contents.title)} · TraceLens</title><style>{style}</style></head><body>",
            *_header(contents),
            "<main>",
            *_flame(contents),
            *_hot(contents),
            *_failures(contents),
            *_units(contents),
            *_runs(contents),
            "</main>",
            f"<footer>TraceLens {_text(__version__)} · {time.strftime('%Y-%m-%d %H:%M')}</footer>",
            f"<script>{script}</script></body></html>",
            "",
        ]
    )


def _hash(text: str) -> str:
    return "sha256-" + b64encode(sha256(text.encode()).digest()).decode()


def _text(text: str, longest: int = 400) -> str:
    """Text that is not ours, for the content of an element or a quoted attribute."""
    return html.escape(words.clean(text, longest))


def _header(contents: _Contents) -> list[str]:
    shown = contents.snapshot.run_records
    named = "; ".join(
        f"“{_text(run.name)}” {words.ago(run.started_ns or run.imported_ns)}".strip() for run in shown[:3]
    )
    more = f" and {len(shown) - 3} more" if len(shown) > 3 else ""
    return [
        f"<header><h1>{_text(contents.title)}</h1>",
        f"<p>{'run' if len(shown) == 1 else 'runs'} {named}{more}</p>" if shown else "<p>no runs yet</p>",
        '<input type="search" id="search" placeholder="Search units, failures, values…" aria-label="Search" hidden>',
        '<span id="found" role="status"></span>',
        '<nav><a href="#flame">Flame graph</a> <a href="#hot">Hot paths</a> <a href="#failures">Failures</a>'
        ' <a href="#units">Values</a> <a href="#runs">Runs</a></nav></header>',
    ]


def _flame(contents: _Contents) -> list[str]:
    bars = flame.bars(contents.snapshot, contents.profiles)
    if not bars:
        return [
            '<section id="flame"><h2>Flame graph</h2>',
            "<p>no timed calls between units of this workspace were recorded</p></section>",
        ]
    height = (max(bar.depth for bar in bars) + 1) * _BAR_HEIGHT
    stopped = any(profile.counting == "at least" for profile in contents.profiles)
    linked = {profile.unit.id for profile in contents.profiles}
    drawn = [_bar(bar, bar.unit.id in linked) for bar in bars]
    return [
        '<section id="flame"><h2>Flame graph</h2>',
        "<p>Callers above, callees below; the width is wall time, from the calls that were observed. ~ is estimated:",
        f"a unit with several callers, divided by their shares.{_STOPPED if stopped else ''}",
        '<button id="reset" hidden>Show all</button></p>',
        f'<svg id="icicle" role="img" aria-label="Flame graph" height="{height}" viewBox="0 0 1000 {height}"'
        ' preserveAspectRatio="none">',
        *drawn,
        '</svg><p id="hovered" aria-live="polite">&nbsp;</p></section>',
    ]


def _bar(bar: flame.Bar, linked: bool) -> str:
    mark = "~" if bar.estimated else ""
    share = words.share(bar.width, "estimated" if bar.estimated else "exact")
    told = (
        f"{words.clean(bar.unit.qualname, 200)} · {words.duration(bar.nanoseconds)} · "
        f"{mark}{words.counted(bar.calls, 'call')} · {share}"
    )
    x, width, y = bar.start * 1000, bar.width * 1000, bar.depth * _BAR_HEIGHT
    hue = bar.unit.id % 8
    return (
        f'<g class="bar h{hue}" tabindex="0" data-x="{bar.start:.6f}" data-w="{bar.width:.6f}" data-d="{bar.depth}"'
        f' data-unit="{short_id(bar.unit) if linked else ""}" data-text="{_text(told, 300)}">'
        f"<title>{_text(told, 300)}</title>"
        f'<rect x="{x:.3f}" y="{y}" width="{max(width - 0.3, 0.2):.3f}" height="{_BAR_HEIGHT - 1}"></rect>'
        f'<svg x="{x:.3f}" y="{y}" width="{width:.3f}" height="{_BAR_HEIGHT}" class="label">'
        f'<text x="3" y="14">{_text(bar.unit.name, 80)}</text></svg></g>'
    )


def _hot(contents: _Contents) -> list[str]:
    if not contents.profiles:
        return ['<section id="hot"><h2>Hot paths</h2><p>nothing was recorded yet</p></section>']
    rows = []
    for profile in contents.profiles:
        share = profile.self_share or 0.0
        cells = (
            words.share(profile.self_share, profile.share_counting) if profile.self_share is not None else "–",
            words.share(profile.total_share, profile.share_counting) if profile.total_share is not None else "–",
            headline.how_often(profile) or "–",
            words.duration(profile.p50_ns) if profile.p50_ns else "–",
            words.duration(profile.p95_ns) if profile.p95_ns else "–",
        )
        failed = ", ".join(f"{f.n:,} {words.type_name(f.type)}" for f in raised_here(profile)[:3])
        numbers = "".join(f'<td class="n">{_text(cell)}</td>' for cell in cells)
        rows.append(
            f'<tr class="item"><td class="heat"><meter min="0" max="1" value="{share:.4f}"></meter></td>{numbers}'
            f'<td><a href="#{short_id(profile.unit)}">{_text(profile.unit.qualname, 200)}</a></td>'
            f'<td class="bad">{_text(failed)}</td></tr>'
        )
    more = f"<p>left out: {contents.left_out:,} colder units</p>" if contents.left_out else ""
    return [
        '<section id="hot"><h2>Hot paths</h2><p>~ estimated · ≥ at least · plain numbers are exact</p><table>',
        "<thead><tr><th></th>",
        *(f'<th class="n">{title}</th>' for title in ("self", "total", "calls", "p50", "p95")),
        "<th>unit</th><th>errors</th></tr></thead><tbody>",
        *rows,
        f"</tbody></table>{more}</section>",
    ]


def _failures(contents: _Contents) -> list[str]:
    told = ['<section id="failures"><h2>Failures</h2>']
    if not contents.failures:
        return [*told, "<p>no exception was seen in the runs shown</p></section>"]
    for failure in contents.failures:
        first, *rest = failures.lines(failure)
        told.append(f'<details class="item"><summary><code class="bad">{_text(first, 300)}</code><br>')
        told.append(f"{_text(rest[0].strip(), 300)}</summary>")
        told += [f"<p>{_text(line.strip(), 300)}</p>" for line in rest[1:]]
        told.append("<ol>")
        for _, path, name, line, source in failure.stack[-30:]:
            told.append(f"<li>{_text(path, 200)}:{int(line)} <b>{_text(name, 100)}</b>")
            told.append(f"<br><code>{_text(source, 200)}</code></li>")
        told.append(f'</ol><p><a href="#{short_id(failure.unit)}">{_text(failure.unit.name)}</a></p></details>')
    return [*told, "</section>"]


def _units(contents: _Contents) -> list[str]:
    told = ['<section id="units"><h2>Values</h2>']
    for profile in contents.profiles:
        full = contents.snapshot.profile(profile.unit.id)
        if full is None:
            continue
        unit = full.unit
        about = hover.about_unit(full, contents.snapshot.index, snapshot=contents.snapshot)
        place = f"{unit.path}:{unit.def_line}"
        told.append(f'<details class="item" id="{short_id(unit)}"><summary><b>{_text(unit.qualname, 200)}</b>')
        told.append(f" <small>{_text(place, 200)}</small></summary>")
        if unit.signature:
            told.append(f"<pre>{_text(unit.signature, 300)}</pre>")
        told += [_block(block) for block in about.blocks if block]
        kept = contents.snapshot.index.captures(unit.id, contents.snapshot.runs, "*", _CALLS)
        kept += contents.snapshot.index.captures(unit.id, contents.snapshot.runs, "", _CALLS)
        if kept:
            told.append("<h3>Calls</h3><pre>")
            told.append("\n\n".join("\n".join(_lines(calls.one(capture))) for capture in kept))
            told.append("</pre>")
        told.append("</details>")
    return [*told, "</section>"]


def _lines(text: str) -> Iterable[str]:
    return (_text(line, 2_000) for line in text.split("\n"))


def _block(block: Block) -> str:
    if any(line.label for line in block):
        rows = "".join(f"<dt>{_text(line.label)}</dt><dd>{_pieces(line)}</dd>" for line in block)
        return f"<dl>{rows}</dl>"
    return "<p>" + "<br>".join(_pieces(line) for line in block) + "</p>"


def _pieces(line: Line) -> str:
    tags = {"code": "code", "strong": "b"}
    parts = []
    for piece in line.pieces:
        text = _text(f"“{piece.text}”" if piece.style == "quoted" else piece.text)
        tag = tags.get(piece.style)
        parts.append(f"<{tag}>{text}</{tag}>" if tag else text)
    return "".join(parts)


def _runs(contents: _Contents) -> list[str]:
    current = {run.id for run in contents.snapshot.run_records}
    known = contents.snapshot.index.runs()
    return [
        '<section id="runs"><h2>Runs</h2><p>* in this report</p><pre>',
        "\n".join(_text(line, 400) for run in known[:100] for line in runs.lines(run, run.id in current)),
        "</pre></section>",
    ]
