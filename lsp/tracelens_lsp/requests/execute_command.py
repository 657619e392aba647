"""workspace/executeCommand: what lenses, actions and links lead to"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tracelens.answers import calls, choose, hover, nothing, render, words
from tracelens.answers import explain as explaining
from tracelens.answers.snapshot import IndexSnapshot
from tracelens_indexer.store.answers import FailureRecord, UnitRecord
from tracelens_lsp import uris, worker
from tracelens_lsp.making import made
from tracelens_lsp.progress import showing
from tracelens_lsp.protocol import types as lsp
from tracelens_lsp.protocol.connection import ResponseError
from tracelens_lsp.session import Session
from tracelens_lsp.workspaces import Workspace

PREVIEW = "tracelens/preview"
"""Asked of our own VS Code client: a diff with the evidence as its title, and whether it was applied."""
_MOST_ASKED = 8
"""Choices that are offered in a message."""


async def show_calls(session: Session, about: Any = None) -> None:
    """tracelens.showCalls: the recorded calls of a unit ("u:…"), or the failing ones of a failure ("f:…")."""
    index, found = _find(session, about)
    if index is None or found is None:
        session.views.say(f"TraceLens: nothing is known of {words.clean(str(about))} any more")
        return
    if isinstance(found, FailureRecord):
        kept = calls.of_failure(index, found)
        title = f"{words.clean(found.unit.qualname, 200)}: calls that failed with {words.type_name(found.type)}"
        unit = found.unit
    else:
        kept = calls.of_unit(index, found)
        title = f"{words.clean(found.qualname, 200)}: recorded calls"
        unit = found
    await session.views.show(f"calls of {unit.name}", calls.listing(title, kept))


async def show(session: Session, about: Any = None) -> None:
    """tracelens.show: all that was recorded of a unit."""
    index, found = _find(session, about)
    unit = found.unit if isinstance(found, FailureRecord) else found
    profile = index.profile(unit.id) if index and unit else None
    if index is None or unit is None or profile is None:
        await why(session, about)
        return
    answer = hover.about_unit(profile, index.index, 0, index)
    text = f"{render.plain(answer.blocks)}\n\n\n{calls.listing('Recorded calls', calls.of_unit(index, unit))}"
    await session.views.show(unit.name, text)


async def why(session: Session, about: Any = None) -> None:
    """tracelens.why: why something, or nothing, is shown; about a unit, a file, or the workspace."""
    index, found = _find(session, about)
    unit = found.unit if isinstance(found, FailureRecord) else found
    if index is not None and unit is not None:
        told = nothing.why(index, unit.path, unit)
    else:
        workspace = session.workspace(str(about)) or next(iter(session.workspaces.known()), None)
        told = _about_file(session, workspace, str(about or ""))
    if len(told.checks) == 1 and told.todo:
        session.views.say(f"TraceLens: {told.about}: {told.missing} → {told.todo}")
        return
    # Where a message is one line, that is what it says; the steps behind it come after.
    session.views.say("\n".join([f"TraceLens: {told.line}", *told.lines[1:]]))


def _about_file(session: Session, workspace: Workspace | None, uri: str) -> nothing.Nothing:
    if workspace is None:
        return nothing.no_index("no folder is open. Open the folder of a project", "TraceLens")
    index = workspace.snapshot()
    if index is None:
        return nothing.no_index(workspace.problem, workspace.root.name)
    at = session.path_in_workspace(uri)
    return nothing.why(index, at[1], None) if at else nothing.about_workspace(index)


async def explain(session: Session, about: Any = None) -> None:
    """tracelens.explain: what was recorded of a failure, as an explanation."""
    await _about_failure(session, about, "why {} fails", explaining.explained)


async def show_callers(session: Session, about: Any = None) -> None:
    """tracelens.showCallers: who made the failing calls of a failure, and with what."""
    await _about_failure(session, about, "callers of {}", explaining.callers)


async def _about_failure(
    session: Session, about: Any, name: str, told: Callable[[IndexSnapshot, FailureRecord], str]
) -> None:
    index, found = _find(session, about)
    if index is None or not isinstance(found, FailureRecord):
        session.views.say(f"TraceLens: the failure {words.clean(str(about))} is not known any more")
        return
    await session.views.show(name.format(found.unit.name), told(index, found))


async def similar(session: Session, about: Any = None) -> None:
    """tracelens.similar: code like a unit, by words and meaning."""
    index, found = _find(session, about)
    if index is None or not isinstance(found, UnitRecord):
        session.views.say(f"TraceLens: nothing is known of {words.clean(str(about))} any more")
        return
    query = " ".join([found.name.replace("_", " "), found.docstring.partition("\n")[0], found.signature])
    async with showing(session, f"Looking for code like {words.clean(found.name)}"):
        ids = await session.searcher(index.root).search_when_ready(query, 12)
    units = [unit for one in ids if one != found.id and (unit := index.index.unit(one))]
    lines = [f"{words.clean(u.path, 200)}:{u.def_line}  {words.clean(u.qualname, 200)}" for u in units]
    title = f"Code like {words.clean(found.qualname, 200)}"
    await session.views.show(f"like {found.name}", "\n".join([title, "", *(lines or ["Nothing was found."])]) + "\n")


async def choose_run(session: Session, choice: Any = None) -> None:
    """tracelens.chooseRun: which runs are shown, by the id of a choice; without one the person is asked."""
    workspace = next(iter(session.workspaces.known()), None)
    index = workspace.snapshot() if workspace else None
    if index is None:
        session.views.say("TraceLens: there is no index yet, so there are no runs")
        return
    offered = choose.choices(index.index)
    if choice is None:
        titles = {f"{one.title} ({one.detail})": one.id for one in offered[:_MOST_ASKED]}
        try:
            answer = await session.views.ask("Which runs are shown?", list(titles))
        except ResponseError:
            # Helix has no questions, and gives a command no arguments.
            named = [f'run = "{choice}": {title}' for title, choice in titles.items()]
            text = "This editor cannot ask which runs are shown. Its settings say it:"
            await session.views.show("runs", "\n".join([text, *named]) + "\n")
            return
        if answer not in titles:
            return
        choice = titles[answer]
    session.choose(str(choice))


async def fix(session: Session, about: Any = None) -> None:
    """tracelens.fix: propose a fix of a failure and have the client apply it."""
    await make(session, "fix", about)


async def make(session: Session, what: Any = None, about: Any = None) -> None:
    """tracelens.make: what a code action resolves to, applied by the client; `what` is one of making.MAKERS."""
    index, found = _find(session, about)
    if index is None or found is None:
        session.views.say(f"TraceLens: nothing is known of {words.clean(str(about))} any more")
        return
    unit = found.unit if isinstance(found, FailureRecord) else found
    edit = await made(session, uris.uri_of(index.root / unit.path), str(what), str(about), confirm=True)
    if edit is not None:
        label = f"TraceLens: {words.clean(unit.name)}"
        if session.client.command_links and edit.change_annotations:
            [told] = edit.change_annotations.values()
            proposed = {"title": told.label, "evidence": told.description, "edit": edit}
            await session.connection.ask(PREVIEW, proposed, object)
            return
        await session.connection.ask("workspace/applyEdit", {"label": label, "edit": edit}, object)


async def replay(session: Session, about: Any = None) -> None:
    """tracelens.replay: make the recorded calls of a unit again, with the code as it is in the editor, saved or not."""
    index, found = _find(session, about)
    if index is None or not isinstance(found, UnitRecord):
        session.views.say(f"TraceLens: nothing is known of {words.clean(str(about))} any more")
        return
    arguments = ["replay", str(about), "--json", "--root", str(index.root), "--progress", "json"]
    opened = session.opened(index.root).get(found.path)
    if opened is not None:
        arguments += ["--text", str(session.views.keep(f"unsaved-{found.name}.py", opened.text))]
    async with showing(session, f"Making recorded calls of {words.clean(found.name)} again") as progress:
        finished = await worker.run(index.root, arguments, progress, session.settings.project_python)
    try:
        told = json.loads(finished.output)
        session.views.say(f"TraceLens: {words.clean(found.name)}: {told['headline']}")
        if told["other"]:
            await session.views.show(f"{found.name} again", "\n".join(told["lines"]) + "\n")
    except (ValueError, KeyError, TypeError):
        session.views.say(f"TraceLens: {finished.said or 'the calls could not be made again'}", lsp.MessageType.WARNING)


async def index(session: Session, *_: Any) -> None:
    """tracelens.index: index every open workspace again."""
    for workspace in session.workspaces.known():
        async with showing(session, f"Indexing {workspace.root.name}") as progress:
            arguments = ["index", str(workspace.root), "--progress", "json"]
            finished = await worker.run(workspace.root, arguments, progress, session.settings.project_python)
        _tell(session, finished)
    session.workspaces.look_again()
    session.look_at_indexes()


async def import_(session: Session, *files: Any) -> None:
    """tracelens.import: import trace files, named by path or file URI, into the workspace."""
    paths = [str(uris.path_of(str(file)) or file) for file in files if file]
    workspace = next(iter(session.workspaces.known()), None)
    if workspace is None or not paths:
        session.views.say("TraceLens: name the trace files to import, with a folder open")
        return
    # "--" keeps a file name that begins with a dash from being an option.
    absolute = [path if Path(path).is_absolute() else str(workspace.root / path) for path in paths]
    async with showing(session, "Importing") as progress:
        arguments = ["import", "--root", str(workspace.root), "--progress", "json", "--", *absolute]
        finished = await worker.run(workspace.root, arguments, progress, session.settings.project_python)
    _tell(session, finished)
    session.look_at_indexes()


def _tell(session: Session, finished: worker.Finished) -> None:
    """The last thing a command said, once it is done."""
    if finished.code == 0:
        session.views.say(f"TraceLens: {finished.output.strip() or 'done'}")
    else:
        session.views.say(f"TraceLens: {finished.said or f'ended with {finished.code}'}", lsp.MessageType.ERROR)


def _find(session: Session, about: Any) -> tuple[IndexSnapshot | None, UnitRecord | FailureRecord | None]:
    """A unit ("u:7f2") or a failure ("f:3fa9") by its id, in whichever workspace has it."""
    name = str(about or "")
    if name[:2] not in ("u:", "f:") or len(name) > 40:
        return None, None
    for workspace in session.workspaces.known():
        index = workspace.snapshot()
        if index is None:
            continue
        found: UnitRecord | FailureRecord | None
        found = index.index.failure(name) if name.startswith("f:") else next(iter(index.index.find(name)), None)
        if found is not None:
            return index, found
    return None, None
