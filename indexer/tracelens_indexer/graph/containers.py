"""Lists, tuples, sets, dicts and generators: what is put into them comes out by key, by position or by iterating.

A container is known by the node that makes it. Its items are nodes by constant key; `*` holds what is put in under a
key that is not known. Positions are keys too ("0", "1", …), as long as the length is known.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from tracelens_indexer.graph.flowing import Flowing
from tracelens_indexer.graph.values import CONSTANT, CONTAINER, KEY, Value, is_whole
from tracelens_indexer.source import flow

ANY: Final = "*"
MAX_KEYS: Final = 64
"""Keys of one container that are kept apart."""


class Containers(Flowing):
    """Adds containers to nodes and edges."""

    def __init__(self, most_values: int) -> None:
        super().__init__(most_values)
        self._items: dict[Value, dict[str, int]] = {}
        """Container to its keys and their nodes."""
        self._all_items: dict[Value, int] = {}
        """Container to the node of all its items."""
        self._sizes: dict[Value, int] = {}
        self._keys: dict[Value, int] = {}
        """Container to the node at which its keys arrive."""

    def container(self, kind: str, node: int, size: int = -1) -> Value:
        """The container that a node makes. `size`: how many items it has, when that is known."""
        value = self.values.number(CONTAINER, kind, node)
        if value not in self._items:
            self._items[value] = {}
            if size >= 0:
                self._sizes[value] = size
        return value

    def kind(self, container: Value) -> str:
        return str(self.values.payload(container)[1])

    def item(self, container: Value, key: str) -> int:
        """The node of an item."""
        container &= ~1
        items = self._items.setdefault(container, {})
        node = items.get(key)
        if node is None:
            if len(items) >= MAX_KEYS and key != ANY:
                return self.item(container, ANY)
            node = items[key] = self.new_nodes(1)
            keys = self._keys.get(container)
            if keys is not None:
                self.lasting(self.add, keys, self.values.number(KEY, key))
            everything = self._all_items.get(container)
            if everything is not None:
                self.lasting(self.edge, node, everything)
        return node

    def items(self, container: Value) -> int:
        """The node of all items of a container."""
        container &= ~1
        node = self._all_items.get(container)
        if node is None:
            node = self._all_items[container] = self.new_nodes(1)
            for item in list(self._items.setdefault(container, {}).values()):
                self.lasting(self.edge, item, node)
        return node

    def each_key(self, container: Value, method: Callable[..., None], *arguments: Any) -> None:
        """Have `method(key, *arguments)` called once for every key of a container, those to come too."""
        container &= ~1
        node = self._keys.get(container)
        if node is None:
            node = self._keys[container] = self.new_nodes(1)
            for key in list(self._items.setdefault(container, {})):
                self.lasting(self.add, node, self.values.number(KEY, key))
        self.watch(node, method, *arguments)

    def load_item(self, container: Value, key: str, result: int) -> None:
        key = self._position(container, key)
        size = self._sizes.get(container & ~1, -1)
        if size >= 0 and key.isdigit() and int(key) >= size:
            # A list that has grown, or a position that is not there.
            self.edge(self.item(container, ANY), result)
            return
        self.edge(self.item(container, key), result)
        if key != ANY:
            self.edge(self.item(container, ANY), result)

    def _position(self, container: Value, key: str) -> str:
        """A position counted from the end, counted from the start."""
        size = self._sizes.get(container & ~1, -1)
        if key.startswith("-") and size >= 0 and key[1:].isdigit():
            return str(size - int(key[1:]))
        if key.startswith("-"):
            return ANY
        return key

    def slice(self, container: Value, low: int, high: int, result: int) -> None:
        size = self._sizes.get(container & ~1, -1)
        if size < 0 or (low, high) == (0, flow.OPEN):
            copied = self._copy(container, result)
            if copied is not None:
                self.edge(self.items(container), self.item(copied, ANY))
            return
        positions = range(size)[low : None if high == flow.OPEN else high]
        copied = self._copy(container, result, len(positions))
        if copied is not None:
            for at, position in enumerate(positions):
                self.edge(self.item(container, str(position)), self.item(copied, str(at)))
            self.edge(self.item(container, ANY), self.item(copied, ANY))

    def _copy(self, container: Value, result: int, size: int = -1) -> Value | None:
        """A new container at a node, once for each it is made of; None when that one was made here."""
        if int(self.values.payload(container)[2]) == result:
            return None
        kind = self.kind(container)
        node = self.new_nodes(1)
        copied = self.container(kind if kind in ("list", "tuple") else "list", node, size)
        self.add(result, copied)
        return copied

    def spread(self, value: Value, into: Value) -> None:
        """Put all items of one dict into another, under their keys, those to come too."""
        if self.values.forms[value] != CONTAINER or value & ~1 == into & ~1:
            return
        self.once(("spread", value & ~1, into), self.each_key, value, self._spread_item, value, into)

    def _spread_item(self, key: Value, value: Value, into: Value) -> None:
        name = self.values.name(key)
        self.edge(self.item(value, name), self.item(into, name))

    def keyed(self, value: Value) -> str | None:
        """The key that a constant is; None for other values."""
        if self.values.forms[value] != CONSTANT:
            return None
        name = self.values.name(value)
        return name if is_whole(name) else None
