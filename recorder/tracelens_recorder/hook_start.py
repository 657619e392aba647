"""Run by the installed hook (hook.py) at the start of an interpreter under TRACELENS=1: begins recording.

It runs before the program does, with whatever PYTHONPATH there is: while it loads the recorder, modules are looked for
in the interpreter's own folders alone, so that nothing is imported from the working directory. It never fails.
"""

import os
import sys


def _own_folders():
    # type: () -> list[str]
    """The entries of sys.path that are the interpreter's standard library."""
    library = os.path.realpath(os.path.dirname(os.__file__))
    found = []
    for entry in sys.path:
        if entry and os.path.isabs(entry):
            real = os.path.realpath(entry)
            archive = os.path.dirname(real) == os.path.dirname(library) and real.endswith(".zip")
            compiled = os.path.dirname(real) == library and os.path.basename(real) == "lib-dynload"
            if real == library or archive or compiled:
                found.append(entry)
    return found


def _load(package):
    # type: (str) -> None
    import importlib.util

    name = "tracelens_recorder"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(
            name, os.path.join(package, "__init__.py"), submodule_search_locations=[package]
        )
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)


def _name():
    # type: () -> str
    """Of the run, from how the interpreter was started; sys.argv is not there yet."""
    words = list(getattr(sys, "orig_argv", ()))[1:]
    while words:
        word = words.pop(0)
        if word == "-m" and words:
            return str(words[0])
        if word == "-c":
            break
        if word in ("-W", "-X"):
            del words[:1]
        elif not word.startswith("-"):
            return str(os.path.splitext(os.path.basename(word))[0])
    return "python"


def _begin():
    # type: () -> None
    from tracelens_recorder import configuration, launch, process, workspace

    if not configuration.switched_on():
        return
    if not os.environ.get(launch.OUT) or not os.environ.get(launch.ROOT):
        root = os.environ.get(launch.ROOT) or workspace.find_root()
        if root in (os.path.sep, os.path.realpath(os.path.expanduser("~"))):
            return  # all that a person has is no workspace
        options = configuration.options(root)
        # Children write beside us: it is one run.
        os.environ[launch.OUT] = workspace.new_folder(root, _name())
        os.environ[launch.ROOT] = root
        os.environ[launch.OPTIONS] = options.to_json()
    process.start_from_environment()


def _start():
    # type: () -> None
    before = list(sys.path)
    sys.path[:] = during = _own_folders()
    try:
        _load(os.path.dirname(os.path.abspath(__file__)))
        _begin()
    except Exception:
        if os.environ.get("TRACELENS_DEBUG"):
            raise
    finally:
        if sys.path == during:
            sys.path[:] = before


_start()
