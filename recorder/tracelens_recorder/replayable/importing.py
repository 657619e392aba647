"""Modules of the workspace, imported by the place of their file and never from anywhere else."""

from __future__ import annotations

import os
import sys
import types
from typing import Tuple

from tracelens_recorder.replayable.classes import below, module_dict
from tracelens_recorder.replayable.limits import NotRebuildable


def import_file(module: str, path: str, roots: Tuple[str, ...]) -> types.ModuleType:
    """The module of a file that lies at `path` (relative, with /) under one of the folders `roots`.

    It is imported under its name where that leads to the very file, else (a script, `__main__`) by its path. Raises
    NotRebuildable, before anything is imported, when there is no such file under the roots.
    """
    parts = path.split("/")
    if os.path.isabs(path) or ".." in parts:
        raise NotRebuildable("%s is not a relative path" % (path,))
    for root in roots:
        file = os.path.realpath(os.path.join(root, *parts))
        if os.path.isfile(file) and below(file, (root,)) is not None:
            return _import(module, file, roots)
    raise NotRebuildable("there is no %s in the workspace" % (path,))


def _import(module: str, file: str, roots: Tuple[str, ...]) -> types.ModuleType:
    import importlib.util

    for known in list(sys.modules.values()):
        if type(known) is types.ModuleType and _file_of(known) == file:
            return known
    if module != "__main__" and _leads_to(module, file, roots):
        return importlib.import_module(module)
    name = module if module != "__main__" and module not in sys.modules else "tracelens_" + str(len(sys.modules))
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise NotRebuildable("%s cannot be imported" % (file,))
    made = importlib.util.module_from_spec(spec)
    sys.modules[name] = made
    try:
        spec.loader.exec_module(made)
    except BaseException:
        del sys.modules[name]
        raise
    return made


def _leads_to(module: str, file: str, roots: Tuple[str, ...]) -> bool:
    """Whether importing a name would import this file. Packages on the way are imported when they are under the
    roots as well, and only then."""
    import importlib.util

    name = ""
    for part in module.split("."):
        name = name + "." + part if name else part
        try:
            spec = importlib.util.find_spec(name)
        except (ImportError, ValueError, AttributeError):
            return False
        if spec is None:
            return False
        places = [spec.origin] if spec.origin else list(spec.submodule_search_locations or [])
        if name == module:
            return bool(spec.origin) and os.path.realpath(str(spec.origin)) == file
        if not places or any(below(os.path.join(place, "x"), roots) is None for place in places):
            return False
    return False


def _file_of(module: types.ModuleType) -> str:
    file = module_dict(module).get("__file__")
    return os.path.realpath(file) if type(file) is str else ""
