"""tracelens annotate"""

from __future__ import annotations

from pathlib import Path

import click

from tracelens.cli.edits import plain_edit
from tracelens.cli.workspace import (
    complete_units,
    find_root,
    json_option,
    one_unit,
    open_index,
    print_json,
    root_option,
    say,
)


@click.command("annotate")
@click.argument("target", metavar="UNIT|FILE", shell_complete=complete_units)
@click.option("--apply", "apply_it", is_flag=True, help="Write them to the file.")
@root_option
@json_option
def command(target: str, apply_it: bool, root_path: Path | None, as_json: bool) -> None:
    """Type annotations from observed values, for parameters and results that have none.

    Shown as a diff; what is not annotated keeps every byte. Types seen only in calls that raised are left out, imports
    are for type checkers alone, and functions whose decorators might act upon annotations are left alone.

    \b
      tracelens annotate apply_discount
      tracelens annotate shop/pricing.py --apply
    """
    from tracelens.annotate.edits import annotate
    from tracelens.answers import words
    from tracelens.fix import patch as patches

    root = find_root(root_path)
    with open_index(root) as index:
        path = target.replace("\\", "/").removeprefix("./")
        if path.endswith(".py") and (root / path).is_file():
            units = [profile.unit for profile in index.profiles_in(path).values()]
            units = sorted((one for one in units if one.kind in ("function", "method")), key=lambda one: one.first_line)
        else:
            units = [one_unit(index, target)]
            path = units[0].path
        made = annotate(index, units, path, root)
    if as_json:
        print_json(
            {
                "path": made.path,
                "added": [{"unit": unit, "slot": slot, "annotation": text} for unit, slot, text in made.added],
                "notes": made.notes,
                "diff": made.patch.diff if made.patch else "",
                **(plain_edit(root, path, made.patch.made_for, made.patch.content) if made.patch else {}),
            }
        )
    else:
        for line in made.patch.diff.splitlines() if made.patch else ["nothing to annotate from what was recorded"]:
            click.echo(line)
        if made.patch:
            click.echo(f"\n{words.counted(len(made.added), 'annotation')}, of what was seen: other values may come")
        for note in made.notes:
            click.echo(words.clean(note, 300))
    if apply_it and made.patch:
        written = patches.apply(root, made.patch)
        say(f"annotated {written.relative_to(root)}")
