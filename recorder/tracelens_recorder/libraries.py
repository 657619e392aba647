"""Waits until the program loads a library whose calls become spans, and installs them then: `openai`.

A finder in `sys.meta_path` that finds nothing itself. Nothing is loaded that the program does not load.
"""

from __future__ import annotations

import sys
from typing import Any, List

_installing = {"openai": "openai_spans"}


class _Waiting:
    """Looks at the names of the packages that are imported."""

    def __init__(self) -> None:
        self.waiting = set(_installing)

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        if name not in self.waiting:
            return None
        self.waiting.discard(name)
        for finder in sys.meta_path:
            find = getattr(finder, "find_spec", None)
            spec = find(name, path, target) if find is not None and finder is not self else None
            if spec is not None:
                if spec.loader is not None and hasattr(spec.loader, "exec_module"):
                    spec.loader = _Loader(spec.loader, name)
                return spec
        return None


class _Loader:
    """The package's own loader, and what is to be done once it is loaded."""

    def __init__(self, loader: Any, name: str) -> None:
        self._loader, self._name = loader, name

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)

    def create_module(self, spec: Any) -> Any:
        return self._loader.create_module(spec)

    def exec_module(self, module: Any) -> None:
        module.__loader__ = module.__spec__.loader = self._loader
        self._loader.exec_module(module)
        _install(self._name)


def _install(name: str) -> None:
    from tracelens_recorder import process

    try:
        from importlib import import_module

        import_module("tracelens_recorder." + _installing[name]).install()
    except Exception as problem:
        recorder = process.current()
        if recorder is not None:
            recorder.session.fault(problem)


_waiting: List[_Waiting] = []


def watch() -> None:
    """Begin to wait; for what is loaded already, it is done at once. A second time does nothing."""
    if _waiting:
        return
    finder = _Waiting()
    _waiting.append(finder)
    for name in list(finder.waiting):
        if name in sys.modules:
            finder.waiting.discard(name)
            _install(name)
    sys.meta_path.insert(0, finder)
