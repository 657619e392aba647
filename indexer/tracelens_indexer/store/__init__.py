"""The store: the only code that opens our databases.

What is named here is imported when it is first named: who only reads does not pay for the writer, and who only asks
where an index is, for neither.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tracelens_indexer.store.index import Index, open_index
    from tracelens_indexer.store.layout import Layout, workspace_root
    from tracelens_indexer.store.writer import IndexedFile, Writer

__all__ = ["Index", "IndexedFile", "Layout", "Writer", "open_index", "workspace_root"]

_MODULES = {
    "Index": "index",
    "IndexedFile": "writer",
    "Layout": "layout",
    "Writer": "writer",
    "open_index": "index",
    "workspace_root": "layout",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
