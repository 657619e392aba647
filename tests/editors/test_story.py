"""One story in three real editors: open the failing file, see what was recorded, edit, fix, see the problem gone.

The editors are those on PATH or those that `python tests/editors/install.py FOLDER` has installed; TRACELENS_EDITORS
names the folder. Screenshots of VS Code are left in TRACELENS_SCREENSHOTS, if that is set.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
import warnings
from pathlib import Path

import pytest

from tests.editors import found
from tests.editors.conftest import ROOT, Stage

STORY = Path(__file__).parent / "story"
SEEN = ("the server", "diagnostic", "hint", "values", "the diagnostic move", "the fix applied", "it gone", "what to do")

pytestmark = [pytest.mark.editor, pytest.mark.timeout(400)]


def missing(name: str) -> None:
    """Skip, so that nobody can overlook it."""
    told = f"the story was NOT played in {name}: it is not installed. python tests/editors/install.py FOLDER"
    warnings.warn(told, stacklevel=2)
    pytest.skip(told)


def played(command: list[str], environment: dict[str, str], folder: Path) -> str:
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=350, check=False
    )
    told = f"{done.stdout}\n{done.stderr}"
    assert done.returncode == 0 and "PASS" in told, told
    return told


def test_the_story_in_neovim(stage: Stage) -> None:
    editor = found.neovim()
    if editor is None:
        missing("Neovim")
        return
    plugin = {"PLUGIN": str(ROOT / "editors/neovim/tracelens.lua")}
    command = [*editor.command, "--headless", "-u", "NONE", "-n", "-S", str(STORY / "run.lua")]
    told = played(command, stage.environment | editor.environment | plugin, stage.shop)
    assert all(f"saw {what}: " in told for what in ("lens", *SEEN))


def test_the_story_in_emacs(stage: Stage) -> None:
    editor = found.emacs()
    if editor is None:
        missing("Emacs")
        return
    plugin = {"PLUGIN": str(ROOT / "editors/emacs/tracelens.el")}
    command = [*editor.command, "--batch", "-Q", "-l", str(STORY / "story.el")]
    told = played(command, stage.environment | editor.environment | plugin, stage.shop)
    assert all(f"saw {what}: " in told for what in SEEN)


def test_the_story_in_vs_code(stage: Stage, built: Path, tmp_path: Path) -> None:
    editor = found.code_server()
    if editor is None:
        missing("VS Code (code-server and Chromium)")
        return
    settings = {
        "tracelens.interpreter": sys.executable,
        "tracelens.projectInterpreter": sys.executable,
        "telemetry.telemetryLevel": "off",
        "update.mode": "none",
        "chat.disableAIFeatures": True,
        "workbench.startupEditor": "none",
        "editor.minimap.enabled": False,
        "editor.hover.delay": 100,
        "git.openRepositoryInParentFolders": "never",
        "extensions.ignoreRecommendations": True,
        "workbench.secondarySideBar.defaultVisibility": "hidden",
        "workbench.tips.enabled": False,
    }
    for place in ("User", "Machine"):
        # Settings of a machine count only here in a workbench that runs in a browser.
        (tmp_path / "data" / place).mkdir(parents=True)
        (tmp_path / "data" / place / "settings.json").write_text(json.dumps(settings))
    own = ["--user-data-dir", str(tmp_path / "data"), "--extensions-dir", str(tmp_path / "extensions")]
    # Without an empty gallery the workbench calls one outside.
    environment = stage.environment | {"EXTENSIONS_GALLERY": "{}"}
    environment["PATH"] = f"{editor.node.parent}{os.pathsep}{environment['PATH']}"
    node = [str(editor.node), str(editor.entry)]
    install = [*node, *own, "--install-extension", str(built / "tracelens.vsix")]
    subprocess.run(install, env=environment, check=True, capture_output=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    quiet = ["--auth", "none", "--disable-telemetry", "--disable-update-check", "--disable-workspace-trust"]
    quiet += ["--disable-getting-started-override"]
    with (tmp_path / "server.log").open("w") as log:
        command = [*node, "--bind-addr", f"127.0.0.1:{port}", *quiet, *own, str(stage.shop)]
        server = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        try:
            _wait_for(f"http://127.0.0.1:{port}/healthz")
            pictures = Path(os.environ.get("TRACELENS_SCREENSHOTS", tmp_path / "pictures"))
            pictures.mkdir(parents=True, exist_ok=True)
            environment |= {"NODE_PATH": str(editor.modules), "PORT": str(port), "CHROMIUM": editor.chromium}
            environment |= {"CHROME": str(tmp_path / "chrome"), "OUT": str(pictures)}
            told = played([str(editor.node), str(STORY / "story.js")], environment, stage.shop)
        finally:
            server.terminate()
            server.wait(20)
    assert "OUTSIDE" not in told
    assert len(list(pictures.glob("*.png"))) >= 7


def _wait_for(url: str, seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while True:
        try:
            urllib.request.urlopen(url, timeout=2).close()
            return
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.3)
