"""The build step of the wheel: what indexing and importing spend their time in is compiled to C with mypyc where there
is a C compiler.

The compiled modules do what their Python sources say in two thirds of the time. They are never needed: without a
compiler, or with TRACELENS_COMPILE=0, the wheel holds the sources alone and is the same program. With
TRACELENS_COMPILE=1 a build that cannot compile fails. An editable install always runs the sources.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

COMPILED = {
    "source": (
        *("annotations", "bindings", "branches", "builder", "canonical", "describe", "expressions", "lower", "scopes"),
        *("syntax", "tokens"),
    ),
    "graph": (
        *("attributes", "calls", "classes", "containers", "flowing", "frames", "language", "link", "linker", "modules"),
        *("mro", "names", "outcome", "outside", "program", "revision", "tracking", "values"),
    ),
    "profiles": ("aggregate", "bounds", "histogram", "keeping", "scrubbing", "slots", "unit_state"),
    "traces": ("recording_sums",),
}
"""Where most of the time goes; modules of records and of output stay as they are."""


class CompileHook(BuildHookInterface[Any]):
    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        if not _wanted():
            return []
        return ["mypy[mypyc]>=1.13", "setuptools>=70", "msgspec", "tree-sitter", "tree-sitter-python"]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if self.target_name != "wheel" or version == "editable" or not _wanted():
            return
        self._folder = Path(tempfile.mkdtemp(prefix="tracelens-compiled-"))
        try:
            made = compiled_into(self._folder, Path(self.root))
        except subprocess.CalledProcessError as error:
            if os.environ.get("TRACELENS_COMPILE") == "1":
                raise RuntimeError(f"mypyc failed:\n{error.output}") from error
            self.app.display_warning("The modules could not be compiled; the wheel holds their sources alone.")
            return
        build_data["force_include"].update({str(path): path.relative_to(self._folder).as_posix() for path in made})
        build_data["pure_python"] = False
        build_data["infer_tag"] = True

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        folder = getattr(self, "_folder", None)
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)


def compiled_into(folder: Path, root: Path) -> list[Path]:
    """Copy the indexer of the checkout `root` and compile it there: the modules that were made."""
    shutil.copytree(
        root / "indexer" / "tracelens_indexer", folder / "tracelens_indexer", ignore=shutil.ignore_patterns("weights")
    )
    modules = [f"tracelens_indexer/{package}/{name}.py" for package, names in COMPILED.items() for name in names]
    subprocess.run(
        [sys.executable, "-m", "mypyc", "--ignore-missing-imports", *modules],
        cwd=folder,
        check=True,
        env={**os.environ, "MYPYPATH": os.pathsep.join([str(folder), str(root / "recorder")])},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    shutil.rmtree(folder / "build")
    return [path for ending in ("*.so", "*.pyd") for path in folder.rglob(ending)]


def _wanted() -> bool:
    asked = os.environ.get("TRACELENS_COMPILE", "")
    return asked != "0" and (asked == "1" or has_compiler())


def has_compiler() -> bool:
    name = os.environ.get("CC") or sysconfig.get_config_var("CC") or "cl"
    return shutil.which(name.split()[0]) is not None
