"""tracelens search"""

from __future__ import annotations

from pathlib import Path

import click

from tracelens.cli.workspace import (
    chosen_runs,
    find_root,
    json_option,
    load_settings,
    open_index,
    print_json,
    root_option,
    runs_option,
    say,
)
from tracelens_indexer.errors import TraceLensError


@click.command("search")
@click.argument("words", nargs=-1)
@click.option("--where", "condition", default="", metavar="CONDITION", help="Only code that did so: failing, hot, ….")
@click.option("--limit", "-n", default=10, show_default=True, help="How many results.")
@runs_option
@root_option
@json_option
def command(
    words: tuple[str, ...],
    condition: str,
    limit: int,
    run_names: tuple[str, ...],
    root_path: Path | None,
    as_json: bool,
) -> None:
    """Find code by words, by meaning, and by what it did when it ran.

    \b
      tracelens search "discount of a customer"
      tracelens search parse header -n 5
      tracelens search price --where "failing and none:tier"
      tracelens search --where "hot and not called-by:main"

    A condition is made of: hot, failing, slow (or slow:50ms), ran, never run, raised:TYPE, none:PARAMETER,
    returned:empty, returned:None, called-by:UNIT, calls:UNIT, kind:function, path:PART; with and, not. Without words
    it lists all that match, the hottest first.
    """
    from tracelens.retrieval import Searcher

    if not words and not condition.strip():
        raise TraceLensError("search for what? Give words, or --where with a condition")
    root = find_root(root_path)
    settings = load_settings(root)
    with open_index(root) as index:
        searcher = Searcher(root, settings)
        hits = searcher.search(index, " ".join(words), limit, condition, chosen_runs(index, run_names))
        if as_json:
            print_json(
                [
                    {
                        "unit": f"u:{hit.unit.id:x}",
                        "qualname": hit.unit.qualname,
                        "path": hit.unit.path,
                        "line": hit.unit.def_line,
                        "signature": hit.unit.signature,
                        "score": round(hit.score, 5),
                        "found_by": hit.how,
                    }
                    for hit in hits
                ]
            )
            return
        if not hits:
            asked = " ".join(words) + (f" where {condition}" if condition else "")
            say(f"nothing found for {asked[:200].strip()!r}")
            for line in searcher.notes:
                say(line)
            raise SystemExit(1)
        for hit in hits:
            first = hit.unit.docstring.strip().partition("\n")[0]
            click.echo(f"{hit.unit.qualname}   {hit.unit.path}:{hit.unit.def_line}")
            if first:
                click.echo(f"    {first[:100]}")
    for line in searcher.notes:
        say(line)
