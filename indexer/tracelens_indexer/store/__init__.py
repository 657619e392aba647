"""The store: the only code that opens our databases."""

from tracelens_indexer.store.index import Index, open_index
from tracelens_indexer.store.layout import Layout, workspace_root
from tracelens_indexer.store.writer import IndexedFile, Writer

__all__ = ["Index", "IndexedFile", "Layout", "Writer", "open_index", "workspace_root"]
