"""Recording within a share of CPU time, on interpreters that have sys.monitoring."""

from __future__ import annotations

from tests.recorder.conftest import Recording
from tracelens_indexer.traces.recording_effort import effort
from tracelens_recorder.launch import Options

BUSY = """
    import time

    def leaf(n, mode):
        return n

    def middle(n, mode):
        return leaf(n, mode) + 1

    def top(n, mode):
        return middle(n, mode)

    def run(seconds, mode):
        end = time.process_time() + seconds
        n = 0
        while time.process_time() < end:
            for _ in range(200):
                n += 1
                top(n, mode)

    run(0.9, "early")
    run(0.9, "late")
"""


def test_values_that_come_late_to_a_parked_function_are_seen(modern_python: str, record: Recording) -> None:
    recorded = record(modern_python, BUSY, options=Options(budget=0.1))
    assert recorded.counts["leaf"].counting == "at least"
    modes = [one["mode"].text for one in recorded.arguments("leaf")]
    assert "'late'" in modes
    looked = [call for call in recorded.calls if call.chosen == "reservoir" and call.frame.name == "leaf"]
    assert max(call.represents for call in looked) > 100, "a look stands for the calls that nobody looked at"


def test_what_was_spent_is_said_and_close_to_the_budget(modern_python: str, record: Recording) -> None:
    took = effort(record(modern_python, BUSY, options=Options(budget=0.03)).files)
    assert (took.functions, took.recorded, took.budget) == (4, 4, 0.03)
    assert took.cpu_ns > 1_500_000_000
    assert 0 < took.spent_ns < 0.03 * took.cpu_ns + 100_000_000


def test_edges_between_parked_functions_are_seen(modern_python: str, record: Recording) -> None:
    recorded = record(
        modern_python,
        """\
        def leaf():
            return 1

        def one():
            return leaf()

        def other():
            return [leaf() for _ in range(2)]

        class Made:
            def __init__(self, n):
                self.n = leaf()

        class Counter:
            def __next__(self):
                return leaf()

        counter = Counter()

        def steps():
            return next(counter)

        for _ in range(400_000):
            one()
            counter.__next__()
        other()
        Made(1)
        steps()
        """,
        options=Options(budget=0.0),
    )
    assert recorded.counts["leaf"].counting == "at least"
    edges = {(caller, callee) for caller, callee, _ in recorded.edges}
    assert edges == {
        ("<module>", "one"), ("<module>", "other"), ("<module>", "__init__"),
        ("one", "leaf"), ("other", "leaf"), ("__init__", "leaf"),
        ("<module>", "__next__"), ("<module>", "steps"), ("__next__", "leaf"), ("steps", "__next__"),
    }  # fmt: skip


def test_a_recursion_that_is_parked_inside_ends_in_order(modern_python: str, record: Recording) -> None:
    recorded = record(
        modern_python,
        """
        def fib(n):
            return n if n < 2 else fib(n - 1) + fib(n - 2)

        print(fib(27))
        """,
        options=Options(budget=0.0),
    )
    assert recorded.process.stdout == "196418\n"
    count = recorded.counts["fib"]
    assert count.counting == "at least" and 4 <= count.calls < 800_000
    assert count.total_ns <= recorded.facts.duration_ns


def test_every_kind_of_failure_is_kept_when_the_budget_is_spent(modern_python: str, record: Recording) -> None:
    source = BUSY.replace("0.9", "0.1") + "\n".join(
        f"""
    def fails{n}(value):
        raise ValueError({n})

    try:
        fails{n}([{n}])
    except ValueError:
        pass
"""
        for n in range(30)
    )
    recorded = record(modern_python, source, options=Options(budget=0.0))
    assert {failure.message for failure in recorded.failures} == {str(n) for n in range(30)}
    assert all(dict(failure.stack[-1].locals)["value"].size == 1 for failure in recorded.failures)
