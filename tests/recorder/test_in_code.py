"""Recording switched on by the program itself, and what it says about its work."""

from __future__ import annotations

import os
import subprocess
import textwrap
from pathlib import Path

import pytest

from tests.recorder.conftest import Recorded
from tracelens_recorder import configuration, pyproject_file
from tracelens_recorder.launch import Options
from tracelens_recorder.workspace import find_root

RECORDER = Path(__file__).parents[2] / "recorder"


def run(python: str, folder: Path, source: str, *arguments: str, **variables: str) -> Recorded:
    """Run a program that has the recorder on its path, and find what it left in the workspace."""
    (folder / "program.py").write_text(textwrap.dedent(source), encoding="utf-8")
    environ = {k: v for k, v in os.environ.items() if not k.startswith(("TRACELENS", "PYTEST", "PYTHONPATH"))}
    environ.update({"PYTHONPATH": str(RECORDER), **variables})
    process = subprocess.run(
        [python, *(arguments or ["program.py"])], cwd=folder, env=environ, capture_output=True, text=True, timeout=60
    )
    return Recorded(process, sorted(folder.glob(".tracelens/incoming/*/*.tlrec")))


def test_a_block_is_recorded_and_nothing_around_it(python: str, tmp_path: Path) -> None:
    recorded = run(
        python,
        tmp_path,
        """
        import tracelens_recorder as tracelens

        def f(x): return x * 2
        def outside(): return 1

        outside()
        with tracelens.recording("block", exact=True) as it:
            for n in range(50):
                f(n)
        outside()
        assert not tracelens.is_recording()
        print(it.folder)
        """,
    )
    assert recorded.process.returncode == 0, recorded.process.stderr
    assert recorded.process.stdout.strip().endswith("-block")
    assert set(recorded.counts) == {"f"}
    assert (recorded.counts["f"].calls, recorded.counts["f"].counting) == (50, "exact")
    assert (tmp_path / ".tracelens").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / ".tracelens/.gitignore").read_text() == "*\n"


def test_two_recordings_of_one_process_see_the_same(python: str, tmp_path: Path) -> None:
    recorded = run(
        python,
        tmp_path,
        """
        import tracelens_recorder as tracelens

        def f(x): return g(x)
        def g(x): return x
        def once(): return 1

        for name in ("first", "second"):
            with tracelens.recording(name, exact=True):
                once()
                for n in range(10):
                    f(n)
        """,
    )
    assert recorded.process.returncode == 0, recorded.process.stderr
    assert len(recorded.files) == 2
    for file in recorded.files:
        alone = Recorded(recorded.process, [file])
        assert {name: one.calls for name, one in alone.counts.items()} == {"f": 10, "g": 10, "once": 1}
        assert alone.facts.notes == () or "3.12" in alone.facts.notes[0]


def test_what_runs_while_it_is_disabled_is_not_seen_and_counts_say_so(python: str, tmp_path: Path) -> None:
    recorded = run(
        python,
        tmp_path,
        """
        import tracelens_recorder as tracelens

        def f(x): return x
        def only_while_disabled(): return 1

        with tracelens.recording(exact=True):
            f(1)
            tracelens.disable()
            f(2)
            only_while_disabled()
            tracelens.enable()
            f(3)
            tracelens.set_budget(0.5)
        """,
    )
    assert recorded.process.returncode == 0, recorded.process.stderr
    assert set(recorded.counts) == {"f"}
    assert (recorded.counts["f"].calls, recorded.counts["f"].counting) == (2, "at least")
    assert [one["x"].text for one in recorded.arguments("f")] == ["1", "3"]


def test_tags_user_and_metadata_follow_the_work_and_no_secret_gets_out(python: str, tmp_path: Path) -> None:
    recorded = run(
        python,
        tmp_path,
        """
        import asyncio
        import tracelens_recorder as tracelens

        def f(x): return x

        async def work(n):
            with tracelens.tagged(f"job-{n}", user=f"u{n}", password="hunter2", mail="ann@example.com"):
                await asyncio.sleep(0.01)
                f(n)

        async def main():
            await asyncio.gather(work(1), work(2))
            f(3)

        with tracelens.recording():
            asyncio.run(main())
        """,
    )
    assert recorded.process.returncode == 0, recorded.process.stderr
    about = {dict(call.arguments)["x"].text: dict(call.about) for call in recorded.calls if call.frame.name == "f"}
    assert about["3"] == {}
    for n in ("1", "2"):
        assert about[n] == {"user": f"u{n}", "tags": f"job-{n}", "password": "[redacted]", "mail": "[redacted]"}


def test_marked_functions_are_kept_call_by_call_and_stay_what_they_were(python: str, tmp_path: Path) -> None:
    recorded = run(
        python,
        tmp_path,
        """
        import asyncio, inspect
        import tracelens_recorder as tracelens

        @tracelens.trace(kind="tool")
        def search(query): return len(query)

        @tracelens.agent
        async def plan(goal):
            await asyncio.sleep(0)
            return search(goal)

        @tracelens.trace
        class Basket:
            def add(self, n): return n
            @staticmethod
            def empty(): return 0
            @property
            def size(self): return 3

        @tracelens.prompt
        def items(n):
            yield from range(n)

        assert inspect.iscoroutinefunction(plan) and inspect.isgeneratorfunction(items)
        assert tracelens.trace(len) is len
        with tracelens.recording():
            for n in range(60):
                search("x" * n)
            asyncio.run(plan("abc"))
            Basket().add(1); Basket.empty(); Basket().size
            list(items(3))
        """,
    )
    assert recorded.process.returncode == 0, recorded.process.stderr
    kept = [call for call in recorded.calls if call.frame.name.endswith("search")]
    assert len(kept) == 61
    assert {dict(call.about)["kind"] for call in kept} == {"tool"}
    assert {call.chosen for call in kept} == {"marked"}
    (plan,) = [call for call in recorded.calls if call.frame.name.endswith("plan")]
    assert dict(plan.about) == {"kind": "agent"}
    assert {"add", "empty", "size", "items"} <= set(recorded.counts)


def test_a_call_recorded_by_hand_has_its_arguments_and_an_iteration_and_is_not_counted(
    python: str, tmp_path: Path
) -> None:
    recorded = run(
        python,
        tmp_path,
        """
        import tracelens_recorder as tracelens

        def step(state, on_done=None): return state
        def loop():
            assert tracelens.record_call(step, state=1, on_done=print) == 1
            assert tracelens.record_call("__main__.step", state=2) == 2
            assert tracelens.record_call(step, state=3) == 3
            tracelens.record_call("model.generate", prompt="hello", api_key="k-123")

        assert tracelens.record_call(step, state=0) == 0, "nothing is recorded yet"
        with tracelens.recording():
            loop()
        """,
    )
    assert recorded.process.returncode == 0, recorded.process.stderr
    given = [
        (dict(call.arguments)["state"].text, dict(call.about)) for call in recorded.calls if "step" in call.frame.name
    ]
    assert given == [("1", {"iteration": "1"}), ("2", {"iteration": "2"}), ("3", {"iteration": "3"})]
    assert "step" not in recorded.counts
    (loop,) = [call for call in recorded.calls if call.frame.name.endswith("loop")]
    span = dict(loop.about)["span"]
    assert span.startswith("model.generate(prompt=hello, api_key=[redacted])")


def test_arguments_go_before_the_environment_and_that_before_the_file(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(
        '[tool.tracelens.record]\nbudget = "7%"\nexact = true\nrotate_mb = 3\ninclude = ["../lib"]\n'
        '[tool.tracelens.redact]\nnames = ["iban", "tax_*"]\n'
    )
    root = str(tmp_path)
    chosen = configuration.options(root, {"exact": False}, {"TRACELENS_BUDGET": "5%", "TRACELENS_EXACT": "1"})
    assert (chosen.budget, chosen.exact, chosen.rotate_mb) == (0.05, False, 3.0)
    assert (chosen.include, chosen.redact_names) == (("../lib",), ("iban", "tax_*"))
    assert configuration.options(root, None, {"TRACELENS_BUDGET": "lots"}).budget == 0.07
    with pytest.raises(ValueError, match="no option"):
        configuration.options(root, {"bugdet": 1}, {})
    with pytest.raises(ValueError, match="cannot be"):
        configuration.options(root, {"budget": 7.0}, {})


def test_the_small_reader_of_toml_reads_what_pythons_own_does() -> None:
    import tomllib

    text = textwrap.dedent(
        r"""
        [project]
        name = "x"
        exact = true

        [tool.tracelens.record]   # ours
        budget = "3 %"
        rate = 0.25
        limit = 10_000
        exact = false
        include = [
            "../lib", 'C:\raw',   # a comment with ] and "quotes"
            "third # no comment",
        ]

        [tool.tracelens.redact]
        "names" = ["iban"]
        patterns = ['ACME-\d{6}', "say \"hi\""]

        [tool.other]
        rate = 9
        """
    )
    expected = tomllib.loads(text)["tool"]["tracelens"]
    assert pyproject_file.subset(text) == expected


def test_nothing_is_recorded_where_the_environment_forbids_it(python: str, tmp_path: Path) -> None:
    recorded = run(
        python,
        tmp_path,
        """
        import tracelens_recorder as tracelens
        with tracelens.recording() as it:
            (lambda: 1)()
        assert it.folder == ""
        """,
        TRACELENS="0",
    )
    assert recorded.process.returncode == 0, recorded.process.stderr
    assert not (tmp_path / ".tracelens").exists()


def test_the_workspace_is_found_as_the_indexer_finds_it(tmp_path: Path) -> None:
    from tracelens_indexer.store import workspace_root

    (tmp_path / "a/b/c").mkdir(parents=True)
    (tmp_path / "a/pyproject.toml").touch()
    for _ in range(2):
        for folder in (tmp_path, tmp_path / "a", tmp_path / "a/b/c"):
            assert find_root(str(folder)) == str(workspace_root(folder))
        (tmp_path / ".tracelens").mkdir(exist_ok=True)


def test_options_survive_the_environment() -> None:
    given = Options(exact=True, include=("a",), redact_patterns=("x",), rate=0.5, keep="failed", rotate_mb=1.5)
    assert Options.from_json(given.to_json()) == given
    assert Options.from_json('{"keep": "some", "rate": 7, "keep_files": 1, "budget": true}') == Options()
