"""tracelens cache"""

from __future__ import annotations

from dataclasses import dataclass
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

if TYPE_CHECKING:
    from tracelens.fix.patch import Patch
    from tracelens_indexer.store import Index
    from tracelens_indexer.store.answers import UnitRecord

NOT_PROPOSED = 1


@dataclass(frozen=True, slots=True)
class _Proposed:
    patch: Patch | None
    told: str
    """What speaks for it, or why it is not proposed."""
    sandbox: str = ""
    verified: bool = False
    """Whether recorded calls were made again with it."""


@click.command("cache")
@click.argument("unit", shell_complete=complete_units)
@click.option("--apply", "apply_it", is_flag=True, help="Write it to the file.")
@python_option("to make the calls with")
@root_option
@json_option
@progress_option
@click.pass_context
def command(
    context: click.Context,
    unit: str,
    apply_it: bool,
    python_name: str,
    root_path: Path | None,
    as_json: bool,
    progress: str,
) -> None:
    """functools.cache for a function, where what was recorded and its source speak for it.

    It must have been called with the same arguments again and again and have given the same, and its source must show
    that it depends on nothing else and changes nothing. The recorded calls are then made again with the cache, in a
    sandbox. Shown as a diff.

    \b
      tracelens cache rate_of
      tracelens cache rate_of --apply

    Ends with 1 when it is not proposed, and says why.
    """
    from tracelens.fix import patch as patches

    root = find_root(root_path)
    with open_index(root) as index, showing(progress, "Looking") as update:
        found = one_unit(index, unit)
        update(f"making recorded calls of {found.qualname} again", 0, 0)
        python = interpreter(root, python_name)
        made = _proposed(index, found, root, python)
    if as_json:
        print_json(_plain(found, made, root))
    else:
        for line in [*(made.patch.diff.splitlines() if made.patch else ()), "", made.told]:
            click.echo(line)
    if made.patch is None:
        context.exit(NOT_PROPOSED)
    if apply_it:
        say(f"written: {patches.apply(root, made.patch).relative_to(root)}")


def _proposed(index: Index, unit: UnitRecord, root: Path, python: str) -> _Proposed:
    from tracelens.answers import replayed, words
    from tracelens.fix.caching import cached, impure, repeated
    from tracelens.fix.evidence import find_function
    from tracelens.fix.patch import Source
    from tracelens.replay.past import MOST, make_again

    source = Source.read(root, unit.path)
    node = find_function(source, unit.scope, unit.ordinal)
    seen = repeated(index.captures(unit.id, None, None, MOST))
    why = (
        seen if isinstance(seen, str) else "it is not in the source now" if node is None else impure(source.tree, node)
    )
    if isinstance(seen, str) or node is None or why:
        return _Proposed(None, f"a cache is not proposed for {unit.qualname}: {why}")
    try:
        patch = cached(source, node)
    except ValueError as error:
        return _Proposed(None, f"a cache is not proposed for {unit.qualname}: {error}")
    again = make_again(index, unit, root, python, patch={unit.path: patch.content})
    told = f"{seen.again} of {words.counted(seen.calls, 'kept call')} had arguments seen before"
    if again.count("other"):
        return _Proposed(None, f"a cache is not proposed for {unit.qualname}: {replayed.headline(again)}")
    return _Proposed(patch, f"{told} · {replayed.headline(again)}", again.sandbox, again.count("same") > 0)


def _plain(unit: UnitRecord, made: _Proposed, root: Path) -> dict[str, Any]:
    found: dict[str, Any] = {"unit": unit.qualname, "proposed": made.patch is not None, "told": made.told}
    if made.patch is not None:
        found |= {"diff": made.patch.diff, "sandbox": made.sandbox, "verified": made.verified}
        found |= plain_edit(root, unit.path, made.patch.made_for, made.patch.content)
    return found
