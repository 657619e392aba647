"""The report: one file that shows what was seen, whatever the program was called with."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tracelens.answers import flame
from tracelens.answers.snapshot import IndexSnapshot
from tracelens.report.page import page
from tracelens_indexer.store import Index

from .conftest import Run

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
PAYLOAD = "</script></title><img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"
HOSTILE = f"""
class Odd(Exception):
    pass

def f(text, pattern="\\u202e\\x1b[31m"):
    if len(text) > 5:
        raise Odd({PAYLOAD!r})
    return text

def main():
    for text in ("short", {PAYLOAD!r}):
        try:
            f(text)
        except Odd:
            pass

main()
"""


class _Tags(HTMLParser):
    """All tags with their attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


@pytest.fixture
def hostile(shop: Path, tracelens: Run) -> Path:
    (shop / "shop" / "we<b>ird.py").write_text(HOSTILE)
    tracelens("index")
    done = tracelens("record", "--python", sys.executable, "--", sys.executable, "shop/we<b>ird.py")
    assert "Recorded " in done.stdout, done.stdout + done.stderr
    done = tracelens("report", "-o", "report.html")
    assert done.returncode == 0, done.stderr
    return shop / "report.html"


def test_the_report_says_what_the_command_line_says(recorded_shop: Path) -> None:
    text = page(IndexSnapshot(Index.open(recorded_shop)))
    read = re.sub(r"</?(code|b)>", "", text)
    for said in ("shop.inventory.Warehouse.find", "0.0 in 3 calls (each failed)", "float division by zero", "“pytest”"):
        assert said in read
    assert not re.search(r"https?://|url\(|@import", text)


def test_nothing_of_the_program_is_acted_upon(hostile: Path) -> None:
    text = hostile.read_text()
    assert "&lt;/script&gt;" in text and "\x1b" not in text and "\u202e" not in text
    parser = _Tags()
    parser.feed(text)
    names = [tag for tag, _ in parser.tags]
    assert names.count("script") == names.count("style") == names.count("title") - names.count("g") == 1
    assert "img" not in names
    assert not [name for _, attributes in parser.tags for name in attributes if name.startswith("on")]
    (policy,) = [a["content"] for t, a in parser.tags if a.get("http-equiv") == "Content-Security-Policy"]
    assert policy and policy.startswith("default-src 'none'") and "unsafe" not in policy


def test_bars_lie_within_their_callers_and_beside_each_other(recorded_shop: Path) -> None:
    index = Index.open(recorded_shop)
    bars = flame.bars(IndexSnapshot(index), index.hot(None, 1_000))
    assert {"test_a_day_of_orders", "checkout", "find"} <= {bar.unit.name for bar in bars}
    rows: dict[int, list[flame.Bar]] = {}
    for bar in bars:
        above = rows.get(bar.depth - 1, [])
        around = [b for b in above if b.start - 1e-9 <= bar.start and bar.start + bar.width <= b.start + b.width + 1e-9]
        assert bar.depth == 0 or around
        beside = rows.setdefault(bar.depth, [])
        assert all(bar.start >= b.start + b.width - 1e-9 for b in beside)
        beside.append(bar)
    assert sum(bar.width for bar in rows[0]) <= 1 + 1e-9


def test_without_runs_the_report_says_so(shop: Path, tracelens: Run) -> None:
    tracelens("index")
    assert tracelens("report").returncode == 0
    assert "nothing was recorded yet" in (shop / "tracelens.html").read_text()
    missing = tracelens("report", "-o", "no/such/folder.html")
    assert missing.returncode == 2 and "cannot be written" in missing.stderr


@pytest.mark.editor
@pytest.mark.skipif(CHROMIUM is None, reason="NOT RUN: no Chromium on this machine (apt-get install chromium)")
def test_a_browser_shows_it_and_runs_no_script_but_ours(hostile: Path, tmp_path: Path) -> None:
    shot = tmp_path / "report.png"
    options = [str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--window-size=1200,900"]
    options.append(f"--user-data-dir={tmp_path / 'browser'}")
    seen = subprocess.run(
        [*options, "--virtual-time-budget=3000", "--dump-dom", hostile.as_uri()],
        capture_output=True, text=True, timeout=100, check=True,
    ).stdout  # fmt: skip
    assert "owned</title>" not in seen and "<img" not in seen
    # Our own script has run: it showed the search field and laid the graph out in pixels.
    assert re.search(r'<input[^>]*id="search"[^>]*>', seen) and not re.search(
        r'<input[^>]*id="search"[^>]*hidden', seen
    )
    assert re.search(r'id="icicle"[^>]*viewBox="0 0 (?!1000 )\d+', seen)
    subprocess.run([*options, f"--screenshot={shot}", hostile.as_uri()], capture_output=True, timeout=100, check=True)
    assert shot.stat().st_size > 20_000
