"""The VS Code extension builds, from its lock file alone, to a .vsix that holds what it should and nothing else."""

import json
import re
import shutil
import subprocess
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.editors.conftest import EXTENSION, npm
from tracelens_lsp.server import COMMANDS

ROOT = Path(__file__).parents[2]

pytestmark = [
    pytest.mark.editor,
    pytest.mark.timeout(300),
    pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not installed: the extension cannot be built"),
]


def test_the_package_holds_the_bundle_and_the_papers_only(built: Path) -> None:
    with zipfile.ZipFile(built / "tracelens.vsix") as package:
        assert sorted(package.namelist()) == [
            "[Content_Types].xml",
            "extension.vsixmanifest",
            "extension/LICENSE.txt",
            "extension/changelog.md",
            "extension/dist/THIRD-PARTY-NOTICES.txt",
            "extension/dist/extension.js",
            "extension/media/icon.png",
            "extension/media/pictures/fix.png",
            "extension/media/pictures/flame-graph.png",
            "extension/media/pictures/hover.png",
            "extension/media/pictures/light-bulb.png",
            "extension/media/tracelens.svg",
            "extension/media/walkthrough/fix.md",
            "extension/media/walkthrough/look.md",
            "extension/media/walkthrough/record.md",
            "extension/media/walkthrough/runs.md",
            "extension/package.json",
            "extension/readme.md",
        ]
        bundle = package.read("extension/dist/extension.js").decode()
        icon = package.read("extension/media/icon.png")
    assert 'require("vscode")' in bundle
    assert "sourceMappingURL" not in bundle
    assert icon.startswith(b"\x89PNG")
    assert min(int.from_bytes(icon[16:20]), int.from_bytes(icon[20:24])) >= 128


def test_the_rules_for_finding_the_server_hold(built: Path) -> None:
    output = npm(built, "npm", "test")
    assert re.search(r"^# pass [1-9]", output, re.MULTILINE)
    assert re.search(r"^# fail 0$", output, re.MULTILINE)


def test_the_lock_file_records_no_download_address() -> None:
    lock = (EXTENSION / "package-lock.json").read_text()
    assert '"resolved"' not in lock
    assert '"integrity"' in lock


def test_the_extension_has_the_version_of_the_server() -> None:
    server = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert manifest()["version"] == server


def test_every_setting_says_its_scope_and_what_it_does() -> None:
    for name, setting in manifest()["contributes"]["configuration"]["properties"].items():
        assert name.startswith("tracelens.")
        assert setting["scope"] in {"machine-overridable", "window"}, name
        assert setting["markdownDescription"], name


def test_interpreters_that_a_workspace_names_need_its_trust() -> None:
    properties = manifest()["contributes"]["configuration"]["properties"]
    runs = {name for name in properties if name.lower().endswith("interpreter")}
    assert set(manifest()["capabilities"]["untrustedWorkspaces"]["restrictedConfigurations"]) == runs


def test_every_server_command_that_the_extension_names_exists_and_no_id_is_registered_twice() -> None:
    # The client library registers the server's commands under the server's own names.
    server = set(COMMANDS)
    palette = {command["command"] for command in manifest()["contributes"]["commands"]}
    sent = set(re.findall(r"execute\(\s*'(tracelens\.\w+)'", (EXTENSION / "src" / "commands.ts").read_text()))
    linked = re.search(r"LINKED_COMMANDS = \[([^]]*)]", (EXTENSION / "src" / "server.ts").read_text())
    assert linked is not None
    assert sent >= {"tracelens.index", "tracelens.import", "tracelens.why"}
    assert sent <= server
    assert set(re.findall(r"'([^']*)'", linked[1])) <= server
    assert not palette & server


def manifest() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((EXTENSION / "package.json").read_text())
    return found
