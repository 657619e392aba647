"""tracelens search"""

from __future__ import annotations

from pathlib import Path

import click

from tracelens.cli.workspace import find_root, json_option, load_settings, open_index, print_json, root_option, say


@click.command("search")
@click.argument("words", nargs=-1, required=True)
@click.option("--limit", "-n", default=10, show_default=True, help="How many results.")
@root_option
@json_option
def command(words: tuple[str, ...], limit: int, root_path: Path | None, as_json: bool) -> None:
    """Find code by words and by meaning.

    \b
      tracelens search "discount of a customer"
      tracelens search parse header -n 5
    """
    from tracelens.retrieval import Searcher

    root = find_root(root_path)
    settings = load_settings(root)
    with open_index(root) as index:
        searcher = Searcher(root, settings)
        hits = searcher.search(index, " ".join(words), limit)
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
            say(f"nothing found for {' '.join(words)!r}")
            raise SystemExit(1)
        for hit in hits:
            first = hit.unit.docstring.strip().partition("\n")[0]
            click.echo(f"{hit.unit.qualname}   {hit.unit.path}:{hit.unit.def_line}")
            if first:
                click.echo(f"    {first[:100]}")
    for line in searcher.notes:
        say(line)
