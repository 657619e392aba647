"""The store: the only code that opens our databases.

Who only reads does not pay for the writer, its lock and what it writes: it is imported when it is first named.
"""

from typing import TYPE_CHECKING, Any

from tracelens_indexer.store.index import Index, open_index
from tracelens_indexer.store.layout import Layout, workspace_root

if TYPE_CHECKING:
    from tracelens_indexer.store.writer import IndexedFile, Writer

__all__ = ["Index", "IndexedFile", "Layout", "Writer", "open_index", "workspace_root"]


def __getattr__(name: str) -> Any:
    if name not in ("IndexedFile", "Writer"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from tracelens_indexer.store import writer

    return getattr(writer, name)
