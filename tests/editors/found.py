"""The editors that the story is played in: those on PATH, else those that install.py has put into a folder."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

FOLDER = Path(os.environ.get("TRACELENS_EDITORS", Path.home() / ".cache" / "tracelens-editors"))
DEBIAN = FOLDER / "debian"
CODE_SERVER = FOLDER / "codeserver"


@dataclass(frozen=True)
class Editor:
    command: list[str]
    environment: dict[str, str] = field(default_factory=dict)


def neovim() -> Editor | None:
    """Neovim 0.10 or newer."""
    found = shutil.which("nvim")
    if found:
        told = subprocess.run([found, "--version"], capture_output=True, text=True, check=False).stdout
        version = re.search(r"v(\d+)\.(\d+)", told)
        if version and (int(version[1]), int(version[2])) >= (0, 10):
            return Editor([found])
    program = DEBIAN / "usr/bin/nvim"
    if not program.exists():
        return None
    return Editor([*_loader(), str(program)], {"VIMRUNTIME": str(DEBIAN / "usr/share/nvim/runtime")})


def emacs() -> Editor | None:
    """Emacs 29 or newer, which has Eglot."""
    found = shutil.which("emacs")
    if found:
        told = subprocess.run([found, "--version"], capture_output=True, text=True, check=False).stdout
        version = re.search(r"Emacs (\d+)", told)
        if version and int(version[1]) >= 29:
            return Editor([found])
    program = DEBIAN / "usr/bin/emacs-nox"
    dumps = sorted((DEBIAN / "usr/libexec/emacs").glob("*/*/*.pdmp"))
    lisp = sorted((DEBIAN / "usr/share/emacs").glob("*/lisp"))
    if not (program.exists() and dumps and lisp):
        return None
    folders = [str(path) for path in (lisp[-1], *sorted(lisp[-1].rglob("*"))) if path.is_dir()]
    return Editor(
        [*_loader(), str(program), f"--dump-file={dumps[-1]}"],
        {"EMACSLOADPATH": ":".join(folders), "EMACSDATA": str(lisp[-1].parent / "etc")},
    )


@dataclass(frozen=True)
class CodeServer:
    node: Path
    entry: Path
    modules: Path
    chromium: str


def code_server() -> CodeServer | None:
    """VS Code as code-server, and a browser to look at it with."""
    modules = CODE_SERVER / "app/node_modules"
    node, entry = CODE_SERVER / "bin/node", modules / "code-server/out/node/entry.js"
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None or not (node.exists() and entry.exists() and (modules / "playwright-core").exists()):
        return None
    return CodeServer(node, entry, modules, chromium)


def _loader() -> list[str]:
    """Runs a program of the tree with the tree's own libraries, without entering it: it starts servers outside."""
    return [str(DEBIAN / "usr/lib64/ld-linux-x86-64.so.2"), "--library-path", str(DEBIAN / "usr/lib/x86_64-linux-gnu")]
