"""Where a process that nobody started with `tracelens record` writes: into the `.tracelens/` of its workspace.

The folder is made as tracelens_indexer.store.layout makes it, which takes up what lies in its `incoming`.
"""

from __future__ import annotations

import os
import time
from binascii import hexlify
from typing import Optional

FOLDER = ".tracelens"
_MARKS = ((FOLDER,), ("pyproject.toml", "setup.py", "setup.cfg", ".git"))


def find_root(start: Optional[str] = None) -> str:
    """The workspace that a folder lies in (default: the current one): the nearest above with a `.tracelens`, else with
    a project's marks, else the folder itself."""
    start = os.path.realpath(start or os.getcwd())
    home = os.path.expanduser("~")
    for marks in _MARKS:
        place = start
        while True:
            if any(os.path.exists(os.path.join(place, mark)) for mark in marks):
                return place
            above = os.path.dirname(place)
            if above == place or place == home:
                break
            place = above
    return start


def new_folder(root: str, name: str) -> str:
    """Where a run that is called `name` writes. It is made when the first file is written, by `prepare`."""
    plain = "".join(one if one.isalnum() or one in "._" else "-" for one in name)[:40].strip("-.") or "run"
    stamp = time.strftime("%Y%m%d-%H%M%S")
    unique = hexlify(os.urandom(3)).decode("ascii")
    return os.path.join(root, FOLDER, "incoming", f"{stamp}-{unique}-{plain}")


def folder_with_siblings(root: str, name: str) -> str:
    """The same for all workers of one server, so that they are one run: named for the process that started them, where
    that is of the same program as this one. Elsewhere a new folder."""
    parent = os.getppid()
    try:
        if os.readlink(f"/proc/{parent}/exe") != os.readlink("/proc/self/exe"):
            return new_folder(root, name)
        with open(f"/proc/{parent}/stat", encoding="ascii", errors="replace") as file:
            ticks = int(file.read().rpartition(")")[2].split()[19])
        with open("/proc/stat", encoding="ascii") as file:
            booted = next(int(line.split()[1]) for line in file if line.startswith("btime"))
        began = booted + ticks / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError, StopIteration):
        return new_folder(root, name)
    made = new_folder(root, name)
    base = os.path.basename(made)[len("YYYYMMDD-HHMMSS-xxxxxx-") :]
    stamp = time.strftime("%Y%m%d-%H%M%S", time.localtime(int(began)))
    return os.path.join(os.path.dirname(made), f"{stamp}-{parent & 0xFFFFFF:06x}-{base}")


def prepare(folder: str) -> None:
    """Make the folder, private to the user, and the store around it where it lies in one. Raises OSError."""
    if os.path.isdir(folder):
        return
    above = os.path.dirname(folder)
    store = os.path.dirname(above)
    if os.path.basename(store) == FOLDER and not os.path.isdir(store):
        os.makedirs(store, mode=0o700, exist_ok=True)
    os.makedirs(folder, mode=0o700, exist_ok=True)
    ignore = os.path.join(store, ".gitignore")
    if os.path.basename(store) == FOLDER and not os.path.exists(ignore):
        with open(ignore, "w", encoding="ascii") as file:
            file.write("*\n")
