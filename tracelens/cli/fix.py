"""tracelens fix"""

from __future__ import annotations

import re
import time
from dataclasses import asdict
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tracelens.cli.progress import showing
from tracelens.cli.workspace import (
    find_root,
    json_option,
    load_settings,
    one_unit,
    open_index,
    print_json,
    progress_option,
    root_option,
)
from tracelens_indexer.errors import TraceLensError
from tracelens_indexer.store import Index
from tracelens_indexer.store.answers import FailureRecord

if TYPE_CHECKING:
    from tracelens.fix.engine import Fix, FixReport


@click.command("fix")
@click.argument("target", required=False, metavar="[FAILURE|UNIT]")
@click.option("--apply/--no-apply", "apply_it", default=False, help="Write the best fix to the file, if it is proved.")
@click.option("--branch", is_flag=True, help="Commit the best fix, if it is proved, on a new branch; files stay as is.")
@click.option(
    "--pr", "request", is_flag=True, help="The same, pushed as a pull or merge request, else as a patch file."
)
@click.option("--undo", "undo_it", is_flag=True, help="Take back the latest applied fix, or the one named (x:…).")
@click.option("--test", "test", default="", metavar="COMMAND", help="Repair what tests fail on: 'pytest -k base'.")
@click.option("--seconds", default=30.0, show_default=True, help="With --test: CPU seconds of trying.")
@click.option("--no-ai", is_flag=True, help="Templates alone, even when an endpoint is configured.")
@click.option("--show-prompt", is_flag=True, help="Print what would be sent to the endpoint, and send nothing.")
@click.option("--python", "python_name", default="", help="Interpreter to re-run calls with (default: the project's).")
@root_option
@json_option
@progress_option
def command(
    target: str | None,
    apply_it: bool,
    branch: bool,
    request: bool,
    undo_it: bool,
    test: str,
    seconds: float,
    no_ai: bool,
    show_prompt: bool,
    python_name: str,
    root_path: Path | None,
    as_json: bool,
    progress: str,
) -> None:
    """Propose a fix for a recorded failure and check it by making the recorded calls again, in a sandbox.

    Without an argument: the failure seen most often. Fixes come from templates and, where you configured an endpoint
    that speaks Chat Completions, from a model: in ~/.config/tracelens/config.toml

    \b
      [llm]
      base_url = "http://127.0.0.1:11434/v1"
      model = "qwen2.5-coder"
      key_env = "MY_KEY"              # name of the variable that holds the key, if one is needed
      send_values = "shapes"          # none, shapes, redacted or full: what leaves this machine

    or TRACELENS_LLM_BASE_URL, TRACELENS_LLM_MODEL and TRACELENS_LLM_KEY in the environment.

    \b
      tracelens fix apply_discount
      tracelens fix f:5d5b19ad --apply
      tracelens fix f:5d5b19ad --show-prompt
      tracelens fix --test "pytest tests/test_base.py -k hex"
      tracelens fix --undo
    """
    if undo_it:
        from tracelens.cli.repair import undo

        undo(find_root(root_path), target or "")
        return
    if test:
        from tracelens.cli.repair import repair_tests

        if target or show_prompt:
            raise click.UsageError("--test stands alone: what fails is found by running the tests")
        root = find_root(root_path)
        repair_tests(
            root,
            test,
            python_name or load_settings(root).project_python,
            seconds,
            apply_it=apply_it,
            branch=branch,
            request=request,
            as_json=as_json,
            progress=progress,
        )
        return
    from tracelens.cli.repair import deliver
    from tracelens.fix import ledger
    from tracelens.fix.engine import NO_ENDPOINT, propose
    from tracelens.fix.evidence import gather
    from tracelens.fix.prompt import prompt_for
    from tracelens.fix.request import text_of
    from tracelens.interpreter import project_python
    from tracelens.retrieval import similar_code

    root = find_root(root_path)
    settings = load_settings(root)
    with open_index(root) as index:
        failure = _failure(index, target)
        if failure is None:
            return

        def search(words: str) -> Any:
            return similar_code(root, settings, index, words)

        endpoint = None if no_ai else settings.llm
        if show_prompt:
            send = endpoint.send_values if endpoint else "shapes"
            click.echo(prompt_for(gather(index, failure.id, root, search), send))
            return
        begun = time.monotonic()
        with showing(progress, "Fixing") as update:
            report = propose(
                index,
                failure.id,
                workspace=root,
                python=project_python(root, python_name or settings.project_python),
                llm=endpoint,
                progress=lambda line: update(line, 0, 0),
                # Similar code is evidence for a model; templates do not ask for it.
                search=search if endpoint else None,
            )
    entry = None
    if report.best is not None:
        best = report.best
        entry = ledger.proposed(
            report.failure.id,
            best.strategy,
            best.title,
            best.verdict.kind,
            best.patch,
            tried=report.tried,
            seconds=time.monotonic() - begun,
            evidence=report.evidence,
        )
        if not (apply_it or branch or request):
            ledger.write(root, entry)
    if as_json:
        print_json(_plain(report, root))
    else:
        for line in _lines(report):
            click.echo("templates only, as you asked" if no_ai and line == NO_ENDPOINT else line)
        if report.best and report.best.verdict.kind == "fixed" and not apply_it:
            click.echo(f"next: tracelens fix {report.failure.id} --apply")
    if apply_it or branch or request:
        if entry is None or report.best is None or report.best.verdict.kind != "fixed":
            raise TraceLensError("nothing was applied: no fix was proved")
        best = report.best
        kind = report.cause.kind if report.cause else ""
        text = text_of(entry, best.title, str(best.verdict.matrix), kind, report.sandbox)
        deliver(root, best.patch, entry, best.title, branch=branch, text=text, request=request)


def _failure(index: Index, target: str | None) -> FailureRecord | None:
    """The failure that is meant; None, and a line, when there is nothing to fix."""
    if target and re.fullmatch(r"f:[0-9a-f]+", target):
        found = index.failure(target)
        if found is None:
            raise TraceLensError(f"{target}: no such failure, or more than one. `tracelens failures` lists them")
        return found
    unit = one_unit(index, target) if target else None
    seen = [f for f in index.failures(unit_id=unit.id if unit else None) if f.origin or unit]
    if not seen:
        where = f" in {unit.qualname}" if unit else ""
        click.echo(f"no exception was seen{where} in the runs shown: nothing to fix")
        return None
    from tracelens.answers.snapshot import on_purpose
    from tracelens.fix.engine import is_test

    # An assertion of a test says that something else is wrong; what is raised on purpose is no defect of its place.
    return min(seen, key=lambda failure: (is_test(failure.unit.path), on_purpose(failure)))


def _lines(report: FixReport) -> list[str]:
    from tracelens.answers import words

    failure = report.failure
    told = [
        f"{failure.id}  {words.type_name(failure.type)} in {words.clean(failure.unit.qualname, 200)}, seen "
        f"{failure.n:,}×{f' in {failure.calls:,} calls' if failure.calls else ''}"
    ]
    if report.cause:
        from tracelens.fix import explain

        told += [words.clean(line, 400) for line in explain.lines(report.cause)]
    # Beside a proved fix one that failed its check says nothing.
    proved = [fix for fix in report.fixes if fix.verdict.kind == "fixed"]
    for number, fix in enumerate((proved or report.fixes)[:3], 1):
        told += ["", f"{number}. {fix.title} — {words.clean(fix.verdict.words, 300)}"]
        if fix.verdict.matrix.failing:
            told.append(f"   {fix.verdict.matrix} · sandbox: {report.sandbox}")
        told += [f"   {note}" for note in fix.verdict.notes]
        told += [f"   {line}" for line in fix.patch.diff.splitlines()]
    if not report.fixes:
        told += ["", "no fix was found"]
    told.append("")
    return told + list(report.statements)


def _plain(report: FixReport, root: Path) -> dict[str, Any]:
    failure = report.failure
    return {
        "failure": failure.id,
        "type": failure.type,
        "unit": report.unit.qualname,
        "sandbox": report.sandbox,
        "tried": report.tried,
        "evidence": report.evidence,
        "cause": asdict(report.cause) if report.cause else None,
        "notes": report.statements,
        "fixes": [plain for fix in report.fixes if (plain := _plain_fix(fix, root))],
    }


def _plain_fix(fix: Fix, root: Path) -> dict[str, Any] | None:
    """A fix with its edit in bytes of the file it was made for; None when the file has changed meanwhile."""
    from tracelens.fix.patch import content_hash

    before = (root / fix.patch.path).read_bytes()
    if content_hash(before) != fix.patch.made_for:
        return None
    start, old_end, new_end = _changed(before, fix.patch.content)
    matrix = fix.verdict.matrix
    return {
        "title": fix.title,
        "strategy": fix.strategy,
        "sure": fix.sure,
        "verdict": {
            "kind": fix.verdict.kind,
            "words": fix.verdict.words,
            "failing": [matrix.failing_fixed, matrix.failing],
            "passing": [matrix.passing_same, matrix.passing],
            "notes": fix.verdict.notes,
        },
        "edits": [
            {
                "path": fix.patch.path,
                "start_byte": start,
                "end_byte": old_end,
                "new_text": fix.patch.content[start:new_end].decode(errors="replace"),
            }
        ],
        "base_hash": blake2b(before, digest_size=16).hexdigest(),
        "diff": fix.patch.diff,
    }


def _changed(before: bytes, after: bytes) -> tuple[int, int, int]:
    """(start, end before, end after) of the lines that differ."""
    old, new = before.splitlines(keepends=True), after.splitlines(keepends=True)
    first = 0
    while first < min(len(old), len(new)) and old[first] == new[first]:
        first += 1
    last = 0
    while last < min(len(old), len(new)) - first and old[-1 - last] == new[-1 - last]:
        last += 1
    start = sum(map(len, old[:first]))
    tail = sum(map(len, old[len(old) - last :]))
    return start, len(before) - tail, len(after) - tail
