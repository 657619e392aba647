"""--test: what one test did, as every command tells it; and a cache that is not proposed says why."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner

from tests.answers import recorded
from tests.lsp.conftest import CALLS, FILES
from tracelens.cli.main import cli


def _run(root: Path, *arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(cli, [*arguments, "--root", str(root)])
    return done.exit_code, done.output + (str(done.exception) if done.exception else "")


def test_commands_tell_what_one_test_did(tmp_path: Path) -> None:
    recorded.workspace(tmp_path, FILES, CALLS).close()
    assert "3 calls · p50 0.1 ms" in _run(tmp_path, "show", "apply_discount", "--test", "test_free")[1]
    told = _run(tmp_path, "failures", "--test", "test_free")[1]
    assert "ZeroDivisionError" in told and "3 of 3 calls" in told, "not of the calls of all tests"
    assert "no exception was seen" in _run(tmp_path, "failures", "--test", "test_gold")[1]
    told = _run(tmp_path, "calls", "apply_discount", "--test", "test_pricing.py::test_free", "--json")[1]
    assert [call["outcome"] for call in json.loads(told)] == ["ZeroDivisionError"] * 3
    hot = json.loads(_run(tmp_path, "hot", "--test", "test_gold", "--json")[1])
    assert [(unit["qualname"], unit["calls"]) for unit in hot["units"]] == [("pricing.apply_discount", 20)]
    # What is not certain is asked back.
    assert "could be any of 2 tests" in _run(tmp_path, "hot", "--test", "pricing")[1]
    assert "no test of the recorded runs is called 'none'" in _run(tmp_path, "hot", "--test", "none")[1]
    code, told = _run(tmp_path, "cache", "slow")
    assert code == 1 and "fewer than 5 calls were kept" in told
