"""tracelens fix"""

from __future__ import annotations

import re
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tracelens.cli.edits import plain_edit
from tracelens.cli.progress import showing
from tracelens.cli.workspace import (
    find_root,
    interpreter,
    json_option,
    load_settings,
    one_unit,
    open_index,
    print_json,
    progress_option,
    python_option,
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
    "--choose", type=click.IntRange(1), help="With these: the fix of this number, also when it only stops it."
)
@click.option("--force", is_flag=True, help="With these: the best fix, also when it only stops the failure.")
@click.option(
    "--pr", "request", is_flag=True, help="The same, pushed as a pull or merge request, else as a patch file."
)
@click.option("--undo", "undo_it", is_flag=True, help="Take back the latest applied fix, or the one named (x:…).")
@click.option("--test", "test", default="", metavar="COMMAND", help="Repair what tests fail on: 'pytest -k base'.")
@click.option("--seconds", type=float, help="CPU seconds of trying small edits (default: 6, with --test 30; 0 none).")
@click.option("--no-ai", is_flag=True, help="Templates alone, even when an endpoint is configured.")
@click.option("--show-prompt", is_flag=True, help="Print what would be sent to the endpoint, and send nothing.")
@python_option("to re-run calls with")
@root_option
@json_option
@progress_option
def command(
    target: str | None,
    apply_it: bool,
    branch: bool,
    choose: int | None,
    force: bool,
    request: bool,
    undo_it: bool,
    test: str,
    seconds: float | None,
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
            interpreter(root, python_name),
            30.0 if seconds is None else seconds,
            apply_it=apply_it,
            branch=branch,
            request=request,
            choose=choose or int(force),
            as_json=as_json,
            progress=progress,
        )
        return
    from tracelens.cli.repair import deliver
    from tracelens.fix import ledger
    from tracelens.fix.engine import NO_ENDPOINT, SEARCH_SECONDS, propose
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
                seconds=SEARCH_SECONDS if seconds is None else seconds,
            )
    entry = None
    wanted = shown(report)[choose - 1 : choose] if choose else [report.best]
    best = wanted[0] if wanted else None
    if best is not None:
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
        if report.best and not apply_it and report.best.verdict.kind in ("fixed", "stops"):
            read = "" if report.best.sure else " --choose 1   (after reading it: its result is not checked)"
            click.echo(f"next: tracelens fix {report.failure.id} --apply{read}")
    if apply_it or branch or request:
        if choose and best is None:
            raise TraceLensError(f"nothing was applied: there is no fix {choose}, only {len(shown(report))}")
        if entry is None or best is None or best.verdict.kind not in ("fixed", "stops"):
            raise TraceLensError("nothing was applied: no fix was proved")
        if not best.sure and not (force or choose):
            raise TraceLensError(
                f"nothing was applied: {best.verdict.words}. Read it; --choose 1 (or --force) takes it all the same"
            )
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
    from tracelens_indexer.workspace import is_test

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
    for number, fix in enumerate(shown(report), 1):
        told += ["", f"{number}. {fix.title} — {words.clean(fix.verdict.words, 300)}"]
        if fix.verdict.matrix.failing:
            told.append(f"   {fix.verdict.matrix} · sandbox: {report.sandbox}")
        told += [f"   {note}" for note in fix.verdict.notes]
        told += [f"   {line}" for line in fix.patch.diff.splitlines()]
    if not report.fixes:
        told += ["", "no fix was found"]
    told.append("")
    return told + list(report.statements)


def shown(report: FixReport) -> list[Fix]:
    """The fixes that a person sees, in the order of their numbers.

    Beside one that is proved, or that at least stops the failure, one that failed its check says nothing.
    """
    kinds = [("fixed",), ("stops", "not verified")]
    some = [[fix for fix in report.fixes if fix.verdict.kind in one] for one in kinds]
    return next((one for one in some if one), list(report.fixes))[:3]


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
        "fixes": [_plain_fix(fix, root) for fix in report.fixes],
    }


def _plain_fix(fix: Fix, root: Path) -> dict[str, Any]:
    """A fix with its edit in bytes of the file it was made for."""
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
        **plain_edit(root, fix.patch.path, fix.patch.made_for, fix.patch.content),
        "diff": fix.patch.diff,
    }
