"""What `tracelens fix` does with tests as the oracle, and how a fix gets to the user's files, to a branch, and back."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tracelens.cli.progress import showing
from tracelens.cli.workspace import print_json, say
from tracelens_indexer.errors import TraceLensError

if TYPE_CHECKING:
    from tracelens.fix.ledger import Entry
    from tracelens.fix.patch import Patch
    from tracelens.fix.request import Text
    from tracelens.fix.search.repair import SearchReport

_SHOWN = 3


def repair_tests(
    root: Path,
    command: str,
    python: str,
    seconds: float,
    *,
    apply_it: bool,
    branch: bool,
    request: bool,
    choose: int,
    as_json: bool,
    progress: str,
) -> None:
    """Search for a repair of what tests fail on, show what was found, and deliver it where that was asked for.

    choose: the number of the one that is meant, from 1, also when it is not sure; 0 the first, if it is sure.
    """
    from tracelens.fix import ledger
    from tracelens.fix.search.oracle import CollectedTests
    from tracelens.fix.search.repair import repair

    oracle = CollectedTests.parse(command)
    with showing(progress, "Fixing") as update:
        report = repair(
            root,
            python,
            oracle,
            cpu_seconds=seconds,
            progress=lambda line: update(line, 0, 0),
        )
    entry = None
    wanted = report.repairs[max(choose - 1, 0) :][:1]
    best = wanted[0] if wanted else None
    if best is not None:
        entry = ledger.proposed(
            f"tests: {command}",
            "search",
            best.title,
            "fixed" if best.sure else "passes",
            best.patch,
            tried=report.tried,
            seconds=report.cpu,
            evidence=report.failing[:20],
        )
        if not (apply_it or branch or request):
            ledger.write(root, entry)
    if as_json:
        print_json(_plain(report))
    else:
        for line in _lines(report):
            click.echo(line)
    if report.problem and not report.repairs:
        if not as_json:
            raise TraceLensError(report.problem)
        return
    if apply_it or branch or request:
        if report.repairs and best is None:
            raise TraceLensError(f"nothing was applied: there is no repair {choose}, only {len(report.repairs)}")
        if entry is None or best is None:
            raise TraceLensError("nothing was applied: no repair was found")
        if not best.sure and not choose:
            raise TraceLensError(
                "nothing was applied: several repairs pass the tests and do different things. Add a test that says "
                "which is meant, or take one by its number: --choose 2"
            )
        deliver(root, best.patch, entry, best.title, branch=branch, request=request)


def deliver(
    root: Path, patch: Patch, entry: Entry, title: str, *, branch: bool, text: Text | None = None, request: bool = False
) -> None:
    """Write a fix to its file, or commit it on a branch of its own; either way it stands in the ledger.

    text: of the commit, and of a pull or merge request when one is asked for.
    """
    from tracelens.fix import ledger
    from tracelens.fix.branch import make_branch
    from tracelens.fix.request import make_request, text_of

    if branch or request:
        name = f"tracelens/fix-{entry.id[2:]}"
        text = text or text_of(entry, title, "", "", "")
        commit = make_branch(root, patch, name, text.commit)
        ledger.write(root, entry)
        ledger.write(root, ledger.later(entry, "branched", extra={"branch": name, "commit": commit}))
        say(f"committed as {commit[:10]} on the branch {name}: {title}. Your files are as they were")
        if request:
            made = make_request(root, name, commit, text)
            if made.url:
                ledger.write(root, ledger.later(entry, "requested", extra={"branch": name, "url": made.url}))
                say(f"asked for its merge: {made.url}")
            else:
                files = " and ".join(str(one.relative_to(root)) for one in made.files)
                say(f"no request was made: {made.why}. The patch and its text are in {files}")
        return
    written = ledger.apply_and_note(root, patch, entry)
    say(f"applied to {written.relative_to(root)}: {title}. Take it back with: tracelens fix --undo")


def undo(root: Path, entry_id: str) -> None:
    from tracelens.fix import ledger

    done = ledger.undo(root, entry_id)
    say(f"taken back from {done.path}: {done.title}")


def _lines(report: SearchReport) -> list[str]:
    told = []
    if report.failing:
        told.append(f"{len(report.failing)} tests fail, {report.passing} pass")
        told += [f"  {name}" for name in report.failing[:5]]
        told += [f"  … and {len(report.failing) - 5} more"] if len(report.failing) > 5 else []
    if report.by_chance and report.failing:
        told.append(f"{len(report.by_chance)} more pass one time and fail another, and are left out:")
        told += [f"  {name}" for name in report.by_chance[:5]]
    if report.not_run:
        told.append(f"{report.not_run} more would have taken too long, and were not run (`--seconds` gives more time)")
    for number, one in enumerate(report.repairs[:_SHOWN], 1):
        words = "all other tests pass" if report.by_chance or report.not_run else "all tests pass"
        if number == 1:
            words += ", and nothing that was tried speaks against it" if one.sure else "; not sure, look at the others"
        elif one.group == report.repairs[0].group:
            words += "; does the same as the first"
        else:
            words += "; does something else than the first"
        told += ["", f"{number}. {one.title} — {words}"]
        if one.cost > 1.5:
            told.append(f"   takes {one.cost:.1f} times the steps on the tests that passed before")
        told += [f"   {line}" for line in one.patch.diff.splitlines()]
    if report.tried:
        more = len(report.repairs) - _SHOWN
        told.append("")
        if not report.repairs:
            told.append("no repair was found")
        elif more > 0:
            told.append(f"{more} more pass; `--json` has them")
        told.append(
            f"{report.tried:,} edits tried in {report.cpu:.1f} s of CPU time · sandbox: {report.sandbox} · "
            "passing the tests is all that is shown"
        )
    return told


def _plain(report: SearchReport) -> dict[str, Any]:
    return {
        "problem": report.problem,
        "failing": report.failing,
        "passing": report.passing,
        "by_chance": report.by_chance,
        "not_run": report.not_run,
        "tried": report.tried,
        "cpu_seconds": round(report.cpu, 2),
        "sandbox": report.sandbox,
        "confidence": round(report.confidence, 3),
        "suspects": [{"path": path, "line": line, "score": round(score, 3)} for path, line, score in report.suspects],
        "fixes": [
            {
                "title": one.title,
                "sure": one.sure,
                "group": one.group,
                "cost": round(one.cost, 2),
                "path": one.patch.path,
                "line": one.line,
                "diff": one.patch.diff,
            }
            for one in report.repairs
        ],
    }
