"""The hook that lets `TRACELENS=1` in the environment record any Python: put into an interpreter, taken out, looked at.

    python hook.py install | remove | status

A program of its own, run by the interpreter that is meant (`tracelens hook` does that, with -I). The hook is one line
in a .pth file of its site-packages. Without TRACELENS it looks at one variable and ends; with it, hook_start.py is
run, by its absolute path.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Dict, List

NAME = "tracelens_hook.pth"
START = os.path.join(os.path.dirname(os.path.abspath(__file__)), "hook_start.py")


def line() -> str:
    """What the file holds. `site` runs lines that begin with `import`."""
    start = repr(START)
    return (
        'import os, sys; os.environ.get("TRACELENS", "0") not in ("", "0") and sys.version_info >= (3, 9) '
        f"and os.path.isfile({start}) "
        f'and exec(compile(open({start}, encoding="utf-8").read(), {start}, "exec"), {{"__file__": {start}}})\n'
    )


def folders() -> List[str]:
    """Where this interpreter looks for .pth files, best first."""
    import site
    import sysconfig

    found = [sysconfig.get_paths()["purelib"]]
    in_environment = sys.prefix != sys.base_prefix
    if not in_environment and site.ENABLE_USER_SITE is not False:
        found.append(site.getusersitepackages())
    return found


def installed() -> List[str]:
    """The files that are there."""
    return [path for path in (os.path.join(folder, NAME) for folder in folders()) if os.path.isfile(path)]


def install() -> Dict[str, object]:
    problems: List[str] = []
    for folder in folders():
        path = os.path.join(folder, NAME)
        try:
            os.makedirs(folder, exist_ok=True)
            with open(path + ".new", "w", encoding="utf-8") as file:
                file.write(line())
            os.replace(path + ".new", path)
        except OSError as problem:
            problems.append(f"{folder}: {problem.strerror}")
            continue
        return {"file": path, "problem": ""}
    return {"file": "", "problem": "; ".join(problems)}


def remove() -> Dict[str, object]:
    removed: List[str] = []
    problems: List[str] = []
    for path in installed():
        try:
            os.remove(path)
            removed.append(path)
        except OSError as problem:
            problems.append(f"{path}: {problem.strerror}")
    return {"files": removed, "problem": "; ".join(problems)}


def status() -> Dict[str, object]:
    found = installed()
    current = False
    if found:
        with open(found[0], encoding="utf-8") as file:
            current = file.read() == line()
    return {"file": found[0] if found else "", "current": current}


if __name__ == "__main__":
    command = {"install": install, "remove": remove, "status": status}[sys.argv[1]]
    said = dict(command(), version=".".join(map(str, sys.version_info[:3])), python=sys.executable)
    sys.stdout.write(json.dumps(said) + "\n")
