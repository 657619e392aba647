"""Exceptions: each once, with its stack, its values and what it was raised from."""

from __future__ import annotations

from tests.recorder.conftest import Recording
from tracelens_indexer.traces.records import Raised, Returned, Unfinished


def test_an_exception_through_many_frames_is_one_failure(python: str, record: Recording) -> None:
    recorded = record(
        python,
        """\
        def deep(divisor):
            local = divisor + 1
            return 1 / divisor

        def middle(x):
            return deep(x)

        def outer():
            try:
                middle(0)
            except ZeroDivisionError:
                return "caught"

        outer()
        """,
    )
    (failure,) = recorded.failures
    assert (failure.type, failure.message) == ("ZeroDivisionError", "division by zero")
    assert [(one.frame.name, one.frame.line) for one in failure.stack] == [
        ("<module>", 14), ("outer", 10), ("middle", 6), ("deep", 3),
    ]  # fmt: skip
    assert failure.stack[-1].source == "return 1 / divisor"
    assert {name: value.text for name, value in failure.stack[-1].locals} == {"divisor": "0", "local": "1"}
    outcomes = {call.frame.name: call.outcome for call in recorded.calls}
    assert outcomes["deep"] == Raised("ZeroDivisionError", "division by zero", 3)
    assert outcomes["middle"] == Raised("ZeroDivisionError", "division by zero", 6)
    assert isinstance(outcomes["outer"], Returned)
    (deep,) = [call for call in recorded.calls if call.frame.name == "deep"]
    assert failure.call == deep.id


def test_an_exception_of_a_library_is_laid_to_our_deepest_frame(python: str, record: Recording) -> None:
    recorded = record(
        python,
        """\
        import json

        def load(text):
            return json.loads(text)

        try:
            load("{")
        except ValueError:
            pass
        """,
    )
    (failure,) = recorded.failures
    assert failure.type == "json.decoder.JSONDecodeError"
    ours = [one.frame for one in failure.stack if one.frame.path == "program.py"]
    assert (ours[-1].name, ours[-1].line) == ("load", 4)
    assert failure.stack[-1].frame.path.endswith("decoder.py")


def test_a_cause_that_was_handled_where_it_arose_is_a_failure_too(python: str, record: Recording) -> None:
    recorded = record(
        python,
        """
        class AppError(Exception):
            pass

        def convert(text):
            try:
                return int(text)
            except ValueError as error:
                raise AppError("bad") from error

        for _ in range(2):
            try:
                convert("x")
            except AppError:
                pass
        """,
    )
    assert [(one.type, one.message) for one in recorded.failures] == [
        ("ValueError", "invalid literal for int() with base 10: 'x'"),
        ("__main__.AppError", "bad"),
    ] * 2


def test_many_failures_of_a_kind_are_counted_and_some_kept(python: str, record: Recording) -> None:
    recorded = record(
        python,
        """
        def f(n):
            raise KeyError(n)

        for n in range(100):
            try:
                f(n)
            except KeyError:
                pass
        """,
    )
    assert sum(one.count for one in recorded.failures) == 100
    assert len([one for one in recorded.failures if one.count == 1]) == 5 + 4  # 8, 16, 32, 64
    assert recorded.counts["f"].errors == 100
    late = [call for call in recorded.calls if call.arguments[0][1].number > 16]
    assert {call.chosen for call in late} >= {"failure"}
    assert all(isinstance(call.outcome, Raised) for call in late)


def test_control_flow_is_no_failure(python: str, record: Recording) -> None:
    recorded = record(
        python,
        """
        import asyncio, sys

        class Three:
            def __init__(self): self.n = 0
            def __iter__(self): return self
            def __next__(self):
                self.n += 1
                if self.n > 3:
                    raise StopIteration
                return self.n

        def generator():
            yield 1
            yield 2

        async def sleeper():
            await asyncio.sleep(60)

        async def cancels():
            task = asyncio.ensure_future(sleeper())
            await asyncio.sleep(0)
            task.cancel()
            try:
                await task
            except asyncio.CancelledError:
                pass

        def handled():
            try:
                {}["x"]
            except KeyError:
                return 1

        list(Three())
        g = generator()
        next(g)
        g.close()
        asyncio.run(cancels())
        handled()
        sys.exit(3)
        """,
    )
    assert recorded.process.returncode == 3
    assert recorded.failures == []
    assert {name for name, count in recorded.counts.items() if count.errors} == set()
    assert recorded.counts["__next__"].calls == 4


def test_an_error_inside_a_comprehension_belongs_to_the_line_it_is_on(python: str, record: Recording) -> None:
    recorded = record(
        python,
        """\
        def f(xs):
            return [
                1 / x
                for x in xs
            ]

        try:
            f([1, 0])
        except ZeroDivisionError:
            pass
        """,
    )
    (failure,) = recorded.failures
    assert failure.stack[-1].frame.line == 3
    assert recorded.counts["f"].errors == 1


def test_an_uncaught_error_of_the_program_itself_is_recorded(python: str, record: Recording) -> None:
    recorded = record(python, "x = 0\n1 / x\n")
    assert recorded.process.returncode == 1
    assert "recorder" not in recorded.process.stderr
    (failure,) = recorded.failures
    assert (failure.stack[-1].frame.name, failure.stack[-1].frame.line) == ("<module>", 2)


def test_a_call_that_never_ends_is_unfinished(python: str, record: Recording) -> None:
    recorded = record(
        python,
        """
        def forever():
            while True:
                yield 1

        kept = forever()
        next(kept)

        def leaves():
            import os
            raise SystemExit

        leaves()
        """,
    )
    outcomes = {call.frame.name: call.outcome for call in recorded.calls}
    assert outcomes["forever"] == Unfinished()
    assert outcomes["leaves"] == Raised("SystemExit", "", 11)


def test_an_exception_that_was_handled_is_not_kept_alive(python: str, record: Recording) -> None:
    recorded = record(
        python,
        """
        import gc, weakref
        gc.disable()

        class Big: pass

        def fails(seen):
            big = Big()
            seen.append(weakref.ref(big))
            raise ValueError

        def main():
            seen = []
            try:
                fails(seen)
            except ValueError:
                pass
            print(seen[0]() is None)

        main()
        """,
    )
    assert recorded.process.stdout == "True\n"


def test_an_argument_that_is_deleted_is_not_kept_alive(modern_python: str, record: Recording) -> None:
    """Below 3.12 the interpreter itself keeps a copy of the locals of every frame that is profiled."""
    source = """
        import weakref

        class Big: pass

        def inner(big):
            ref = weakref.ref(big)
            del big
            return ref() is None

        print(inner(Big()))
    """
    recorded = record(modern_python, source)
    plain = record(modern_python, command=["-S", "program.py"])
    assert recorded.counts["inner"].calls == 1
    assert plain.process.stdout == recorded.process.stdout == "True\n"
