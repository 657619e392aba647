"""Starts the recorder in any Python that finds this folder on its PYTHONPATH, then gives way to the user's own file.

Python imports `sitecustomize` before the program. This one may be met by any interpreter, also one that is too old to
record: it must stay valid syntax everywhere, and never fail.
"""

import os
import sys


def _start(here):
    # type: (str) -> None
    """Load the recorder from beside this folder, by its path: nothing is put on sys.path for the program to see."""
    import importlib.util

    package = os.path.dirname(here)
    name = "tracelens_recorder"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(
            name, os.path.join(package, "__init__.py"), submodule_search_locations=[package]
        )
        module = importlib.util.module_from_spec(spec)  # type: ignore[arg-type]
        sys.modules[name] = module
        spec.loader.exec_module(module)  # type: ignore[union-attr]
    from tracelens_recorder import process

    process.start_from_environment()


def _chain(here):
    # type: (str) -> None
    """Leave sys.path, and run the sitecustomize that would have been found without us, as if we were not there."""
    sys.path[:] = [entry for entry in sys.path if not entry or os.path.abspath(entry) != here]
    sys.path_importer_cache.pop(here, None)
    from importlib.machinery import PathFinder

    spec = PathFinder.find_spec("sitecustomize", sys.path)
    if spec is None or spec.loader is None:
        return
    from importlib.util import module_from_spec

    module = module_from_spec(spec)
    sys.modules["sitecustomize"] = module
    spec.loader.exec_module(module)


_here = os.path.dirname(os.path.abspath(__file__))
if sys.version_info >= (3, 9):
    try:
        _start(_here)
    except Exception:
        if os.environ.get("TRACELENS_DEBUG"):
            raise
    _chain(_here)
