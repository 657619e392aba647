"""What takes a while to make and ends in an edit: fixes, tests, annotations, a cache. A command of `tracelens` makes it
in a worker process; cancelling stops that."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tracelens.answers import words
from tracelens_lsp import convert, worker
from tracelens_lsp.edits import as_edit
from tracelens_lsp.progress import showing
from tracelens_lsp.protocol import types as lsp
from tracelens_lsp.session import Session

_HARMFUL = ("same", "regressed")
_Json = dict[str, Any]
_TOLD = ("--progress", "json")
"""What takes seconds says how far it is."""


@dataclass(frozen=True, slots=True)
class _NotMade:
    """Why there is no edit."""

    text: str
    warning: bool = True
    elsewhere: bool = False
    """There is one, for another text than the one in the editor."""


@dataclass(frozen=True, slots=True)
class _Made:
    """What to write."""

    wanted: _Json
    title: str
    evidence: str
    """What speaks for it, in a line."""
    proved: bool = True
    """Else it is shown as a diff before it is applied, where the client can."""


@dataclass(frozen=True, slots=True)
class Maker:
    title: str
    """Of the progress bar."""
    command: tuple[str, ...]
    """Of `tracelens`; the id of what it is about comes behind its first word."""
    read: Callable[[_Json], _Made | _NotMade]
    """Makes of what it printed what to write."""


async def made(session: Session, uri: str, what: str, about: str, *, confirm: bool = False) -> lsp.WorkspaceEdit | None:
    """What was asked for as an edit; None, and the person is told why, when there is none. `confirm`: it is shown
    before it is applied, as what is not proved always is."""
    workspace, maker = session.workspace(uri), MAKERS.get(what)
    if workspace is None or maker is None:
        return None
    async with showing(session, maker.title) as progress:
        for last in (False, True):
            await session.settled(workspace.root)
            told = await _asked(session, workspace.root, maker, about, progress, confirm=confirm)
            # An editor that saves by itself may do so while it is being made: then once more.
            if isinstance(told, lsp.WorkspaceEdit) or last or not told.elsewhere:
                break
    if isinstance(told, lsp.WorkspaceEdit):
        return told
    _say(session, told.text, warning=told.warning)
    return None


async def _asked(
    session: Session, root: Path, maker: Maker, about: str, progress: worker.Progress, *, confirm: bool
) -> lsp.WorkspaceEdit | _NotMade:
    name, *options = maker.command
    arguments = [name, about, *options, "--json", "--root", str(root)]
    finished = await worker.run(root, arguments, progress, session.settings.project_python)
    try:
        printed = json.loads(finished.output)
        if printed.get("no_edit"):
            return _NotMade(words.clean(str(printed["no_edit"]), 300), elsewhere=True)
        told = maker.read(printed)
    except (ValueError, KeyError, TypeError, AttributeError):
        return _NotMade(finished.said or f"`tracelens {name}` ended with {finished.code}")
    if isinstance(told, _NotMade):
        return told
    edit = as_edit(session, root, {**told.wanted, "instead": f"tracelens {name} {about} --write"})
    if isinstance(edit, str):
        return _NotMade(edit, elsewhere=True)
    # Our own client says it where it asks whether to apply.
    if not (confirm and session.client.command_links):
        _say(session, f"{told.title} — {told.evidence}")
    if session.client.previews and edit.document_changes:
        return convert.annotated(edit, told.title, told.evidence, confirm=confirm or not told.proved)
    return edit


def _fix(told: _Json, strategies: Sequence[str] = ("template", "llm")) -> _Made | _NotMade:
    harmless = [fix for fix in told["fixes"] if fix["strategy"] in strategies and _kind(fix) not in _HARMFUL]
    best = _best(harmless)
    if best is None:
        if why := next((fix["no_edit"] for fix in harmless if fix.get("no_edit")), ""):
            return _NotMade(words.clean(str(why), 300), elsewhere=True)
        notes = "; ".join(words.clean(str(note), words.LONGEST_MESSAGE) for note in told.get("notes", ())[:3])
        return _NotMade(f"no fix was found{f': {notes}' if notes else ''}", warning=False)
    title = words.clean(str(best.get("title", "fix")), 200)
    by_template = best.get("strategy") == "template"
    proved = by_template and _kind(best) == "fixed"
    return _Made(best, title, _verdict(best, told), proved)


def _best(fixes: Sequence[_Json]) -> _Json | None:
    """The first that was proved, else the first."""
    usable = [fix for fix in fixes if fix.get("edits")]
    proved = [fix for fix in usable if _kind(fix) == "fixed"]
    return next(iter([*proved, *usable]), None)


def _kind(fix: _Json) -> str:
    return str(fix.get("verdict", {}).get("kind"))


def _verdict(fix: _Json, told: _Json) -> str:
    """ "re-ran: no longer raises · failing 3/3 fixed · passing 12/12 same · sandbox: namespaces"."""
    verdict = fix.get("verdict", {})
    parts = [words.clean(str(verdict.get("words", "not verified")), 400)]
    for name, word in (("failing", "fixed"), ("passing", "same")):
        match verdict.get(name):
            case [int(good), int(all_)] if all_:
                parts.append(f"{name} {good}/{all_} {word}")
    return " · ".join([*parts, *_sandbox(told)])


def _tests(told: _Json) -> _Made | _NotMade:
    if told.get("problem"):
        return _NotMade(words.clean(str(told["problem"]), 600), warning=False)
    title = f"{words.counted(len(told['tests']), 'test')} in {words.clean(str(told['path']), 200)}"
    parts = [f"from {words.counted(len(told['calls']), 'recorded call')}"]
    if told.get("mutants"):
        parts.append(f"{int(told['noticed'])} of {int(told['mutants'])} wrong versions noticed")
    if told.get("fails_before"):
        parts.append(f"they fail with the code that failed and pass with {words.clean(str(told.get('fix')), 200)}")
    return _Made(told, title, " · ".join([*parts, *_sandbox(told)]))


def _annotations(told: _Json) -> _Made | _NotMade:
    notes = "; ".join(words.clean(str(note), 200) for note in told.get("notes", ())[:3])
    if not told.get("edits"):
        return _NotMade(notes or "nothing to annotate from what was recorded", warning=False)
    said = f"of what was seen: other values may come{f'; {notes}' if notes else ''}"
    return _Made(told, words.counted(len(told["added"]), "annotation"), said)


def _cache(told: _Json) -> _Made | _NotMade:
    said = words.clean(str(told["told"]), 600)
    if not told.get("edits"):
        return _NotMade(said, warning=False)
    return _Made(
        told, f"Cache {words.clean(str(told['unit']))}", " · ".join([said, *_sandbox(told)]), bool(told.get("verified"))
    )


def _sandbox(told: _Json) -> list[str]:
    return [f"sandbox: {words.clean(str(told['sandbox']), 100)}"] if told.get("sandbox") else []


def _say(session: Session, text: str, *, warning: bool = False) -> None:
    session.views.say(f"TraceLens: {text}", lsp.MessageType.WARNING if warning else lsp.MessageType.INFO)


MAKERS = {
    # What a person did not ask a model for is not sent to one.
    "fix": Maker("Looking for a fix", ("fix", "--no-apply", "--no-ai", *_TOLD), _fix),
    "ai": Maker("Asking for a fix", ("fix", "--no-apply", *_TOLD), lambda told: _fix(told, ("llm",))),
    "tests": Maker("Making tests", ("test", *_TOLD), _tests),
    "annotate": Maker("Annotating", ("annotate",), _annotations),
    "cache": Maker("Looking whether a cache helps", ("cache", *_TOLD), _cache),
}
