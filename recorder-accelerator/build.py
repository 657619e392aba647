"""Builds the accelerator for the interpreter that runs this, into the recorder's folder, where the recorder finds it.

    python3.13 recorder-accelerator/build.py      (and again with python3.12)

Needs a C compiler and Python's headers, and nothing else. Without them it says what is missing and exits with 0 unless
`--required` is given: the recorder works without, `--exact` is slower.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import sysconfig
from pathlib import Path

HERE = Path(__file__).resolve().parent
TARGET = HERE.parent / "recorder/tracelens_recorder/accelerators"


def build() -> str:
    """The file that was made. Raises RuntimeError with what is missing."""
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.implementation.name != "cpython" or sys.version_info[:2] not in ((3, 12), (3, 13)):
        raise RuntimeError(f"{sys.implementation.name} {version} is neither CPython 3.12 nor 3.13")
    if sysconfig.get_config_var("Py_GIL_DISABLED"):
        raise RuntimeError("a free-threaded Python is not supported")
    include = Path(sysconfig.get_path("include"))
    if not (include / "internal/pycore_frame.h").exists():
        raise RuntimeError(f"the headers of Python {version} are missing ({include}): install its -dev package")
    TARGET.mkdir(exist_ok=True)
    made = TARGET / ("_tracelens_core" + str(sysconfig.get_config_var("EXT_SUFFIX")))
    compiler = shlex.split(os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc")
    shared = ["-bundle", "-undefined", "dynamic_lookup"] if sys.platform == "darwin" else ["-shared"]
    sources = sorted(map(str, (HERE / "src").glob("*.c")))
    partial = made.with_suffix(f".{os.getpid()}")
    command = [*compiler, "-O2", "-Wall", "-fPIC", *shared, f"-I{include}", *sources, "-o", str(partial), "-lm"]
    try:
        done = subprocess.run(command, capture_output=True, text=True)
    except OSError as problem:
        raise RuntimeError(f"no C compiler: {problem}") from problem
    if done.returncode:
        raise RuntimeError(f"the C compiler failed:\n{done.stderr}")
    partial.replace(made)
    return str(made)


def main() -> int:
    try:
        print(f"accelerator: built {build()}")
    except (RuntimeError, OSError) as problem:
        print(f"accelerator: NOT BUILT for {sys.executable}: {problem}", file=sys.stderr)
        print("accelerator: the recorder works without it; --exact is slower", file=sys.stderr)
        return 1 if "--required" in sys.argv else 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
