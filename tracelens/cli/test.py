"""tracelens test"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tracelens.cli.edits import plain_edit
from tracelens.cli.progress import showing
from tracelens.cli.workspace import (
    complete_units,
    find_root,
    interpreter,
    json_option,
    one_unit,
    open_index,
    print_json,
    progress_option,
    python_option,
    root_option,
    say,
)
from tracelens_indexer.errors import TraceLensError

if TYPE_CHECKING:
    from tracelens.testgen.engine import Tests

NONE_MADE = 1


@click.command("test")
@click.argument("target", metavar="UNIT|FAILURE", shell_complete=complete_units)
@click.option("--write", "write_it", is_flag=True, help="Append them to the test file, or make a new one.")
@click.option("--strategies", is_flag=True, help="A property test for hypothesis, from the values that were seen.")
@click.option("--most", default=8, show_default=True, type=click.IntRange(1, 50), help="How many tests.")
@python_option("to run them with")
@root_option
@json_option
@progress_option
@click.pass_context
def command(
    context: click.Context,
    target: str,
    write_it: bool,
    strategies: bool,
    most: int,
    python_name: str,
    root_path: Path | None,
    as_json: bool,
    progress: str,
) -> None:
    """Tests from recorded calls, run in a sandbox before they are shown.

    For a unit they say what it does now. For a failure (f:…) they fail with the code that failed and pass with the
    fix: the one you made, or one that `tracelens fix` proves. Each is tried on small wrong versions of the function;
    one that notices nothing new is left out.

    \b
      tracelens test apply_discount
      tracelens test f:5d5b19ad --write
      tracelens test apply_discount --strategies

    What they expect is what the code gives: read them before you keep them. Ends with 1 when none could be made.
    """
    from tracelens.testgen import place
    from tracelens.testgen.engine import generate

    root = find_root(root_path)
    if strategies:
        _property(root, target, python_name, write_it, as_json)
        return
    python = interpreter(root, python_name)
    with open_index(root) as index:
        failure = None
        if target.startswith("f:"):
            failure = index.failure(target)
            if failure is None:
                raise TraceLensError(f"{target}: no such failure, or more than one. `tracelens failures` lists them")
        unit = failure.unit if failure else one_unit(index, target)
        with showing(progress, "Testing") as update:
            made = generate(
                index,
                unit,
                root,
                python,
                failure=failure,
                most=most,
                progress=lambda line: update(line, 0, 0),
            )
    if as_json:
        print_json(_plain(made, root))
    else:
        for line in _lines(made):
            click.echo(line)
    if made.problem:
        context.exit(NONE_MADE)
    if write_it:
        written = place.write(root, made.path, made.text, made.made_for, made.diff)
        say(f"{'appended to' if made.made_for else 'written:'} {written.relative_to(root)}")


def _property(root: Path, target: str, python_name: str, write_it: bool, as_json: bool) -> None:
    from tracelens.answers import words
    from tracelens.testgen import place
    from tracelens.testgen.engine import generate_property

    python = interpreter(root, python_name)
    with open_index(root) as index:
        path, text, said = generate_property(index, one_unit(index, target), root, python)
    if as_json:
        print_json({"path": path, "text": text, "result": said})
    else:
        click.echo(text)
        click.echo(f"run in the sandbox: {words.clean(said, 600)}")
    if write_it:
        written = place.write(root, path, text, "", "")
        say(f"written: {written.relative_to(root)}")


def _lines(made: Tests) -> list[str]:
    from tracelens.answers import words

    if made.problem:
        return [words.clean(made.problem, 600)]
    told = made.diff.splitlines()
    told += ["", f"{words.counted(len(made.names), 'test')} from {words.counted(len(made.calls), 'recorded call')}"]
    if made.mutants:
        told[-1] += f" · {made.noticed} of {made.mutants} wrong versions noticed"
    if made.fails_before:
        told.append(f"they fail with the code that failed and pass with {made.fix}")
    else:
        told.append("they pass with the code as it is, and expect what it gives: read them before you keep them")
    useless = sum("notices nothing" in why for _, why in made.left_out)
    told += [
        f"left out: {call}: {words.clean(why, 300)}" for call, why in made.left_out if "notices nothing" not in why
    ][:5]
    if useless:
        told.append(
            f"left out: {words.counted(useless, 'call')} whose test would notice nothing that the others do not"
        )
    return told


def _plain(made: Tests, root: Path) -> dict[str, Any]:
    return {
        "unit": made.unit.qualname,
        "problem": made.problem,
        "path": made.path,
        "new": not made.made_for,
        "tests": list(made.names),
        "calls": list(made.calls),
        "left_out": [{"call": call, "why": why} for call, why in made.left_out],
        "mutants": made.mutants,
        "noticed": made.noticed,
        "fails_before": made.fails_before,
        "fix": made.fix,
        "sandbox": made.sandbox,
        "diff": made.diff,
        "text": made.text,
        **({} if made.problem else plain_edit(root, made.path, made.made_for, made.text.encode())),
    }
