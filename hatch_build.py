"""A build step that is off unless asked for: TRACELENS_COMPILE=1 compiles lowering and linking to C with mypyc.

The compiled modules do what their Python sources say, about one and a half times as fast. They are never needed: a
wheel without them is the same program, and an editable install always runs the sources.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

COMPILED = (
    "source/{annotations,bindings,branches,builder,canonical,describe,drafts,expressions,lower,scopes,syntax,tokens}.py",
    "graph/{attributes,calls,classes,containers,flowing,frames,language,link,linker,modules,mro,names,outcome}.py",
    "graph/{outside,program,revision,tracking,values}.py",
)
"""Where most of the time of indexing goes; modules of records and of output stay as they are."""


class CompileHook(BuildHookInterface[Any]):
    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        if not _wanted():
            return []
        return ["mypy[mypyc]>=1.13", "setuptools>=70", "msgspec", "tree-sitter", "tree-sitter-python"]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if self.target_name != "wheel" or version == "editable" or not _wanted():
            return
        folder = Path(tempfile.mkdtemp(prefix="tracelens-compiled-"))
        self._folder = folder
        shutil.copytree(Path(self.root) / "indexer" / "tracelens_indexer", folder / "tracelens_indexer")
        modules = [name for pattern in COMPILED for name in _expanded(f"tracelens_indexer/{pattern}")]
        command = [sys.executable, "-m", "mypyc", "--ignore-missing-imports", *modules]
        paths = os.pathsep.join([str(folder), str(Path(self.root) / "recorder")])
        subprocess.run(command, cwd=folder, check=True, env={**os.environ, "MYPYPATH": paths}, stdout=sys.stderr)
        made = [path for path in folder.rglob("*.so") if "build" not in path.relative_to(folder).parts]
        made += [path for path in folder.rglob("*.pyd") if "build" not in path.relative_to(folder).parts]
        if not made:
            raise RuntimeError("mypyc made no modules")
        build_data["force_include"].update({str(path): path.relative_to(folder).as_posix() for path in made})
        build_data["pure_python"] = False
        build_data["infer_tag"] = True

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        folder = getattr(self, "_folder", None)
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)


def _wanted() -> bool:
    return os.environ.get("TRACELENS_COMPILE") == "1"


def _expanded(pattern: str) -> list[str]:
    before, _, rest = pattern.partition("{")
    names, _, after = rest.partition("}")
    return [f"{before}{name}{after}" for name in names.split(",")]
