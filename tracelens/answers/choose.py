"""Which runs and which unit are meant by the words that a person or an agent uses for them."""

from __future__ import annotations

from collections.abc import Sequence

from tracelens_indexer.errors import TraceLensError
from tracelens_indexer.store import Index
from tracelens_indexer.store.answers import UnitRecord


class NotFound(TraceLensError):
    """Nothing is called so, or several are."""

    exit_code = 1


def runs_named(index: Index, names: Sequence[str]) -> tuple[int, ...] | None:
    """Ids of the runs of these ids or names, "latest" for the last; None, the current ones, when none is named.

    Raises TraceLensError for an unknown one.
    """
    if not names:
        return None
    ids: list[int] = []
    runs = index.runs()
    for name in names:
        found = [run.id for run in runs if str(run.id) == name] or [run.id for run in runs if run.name == name][:1]
        if not found and name == "latest":
            found = [run.id for run in runs[:1]]
        if not found:
            raise TraceLensError(f"there is no run {name!r}. `tracelens runs` lists them")
        ids += found
    return tuple(ids)


def short_id(unit: UnitRecord) -> str:
    """A name for a unit that is short to cite and enough to find it again: "u:7223b2c6"."""
    return f"u:{unit.id:x}"[:10]


def one_unit(index: Index, text: str) -> UnitRecord:
    """The unit that is named. Raises NotFound when there is none or when several could be meant."""
    found = index.find(text)
    if not found:
        raise NotFound(f"nothing here is called {text!r}. Try: tracelens search {text!r}")
    if len(found) > 1:
        shown = "\n".join(f"  {unit.qualname}   {unit.path}:{unit.def_line}" for unit in found[:12])
        more = f"\n  … and {len(found) - 12} more" if len(found) > 12 else ""
        raise NotFound(f"{text!r} could be any of {len(found)}; name one:\n{shown}{more}")
    return found[0]
