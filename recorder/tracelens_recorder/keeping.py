"""Keeps of what is recorded under tests only that of the tests that fail.

While a test runs nothing is written. When it has failed, all is; when it has passed, captures, failures and numbers
are dropped. Of each test the first calls of each function are captured, as if there had been none before. What is left
is of failing tests and of what ran outside of tests: all counts are at least.
"""

from __future__ import annotations

from tracelens_recorder.session import Session


def begin(session: Session) -> None:
    """A test begins: what came before it is written. Never raises: what goes wrong is told in the recording."""
    try:
        _begin(session)
    except Exception as problem:
        session.holding = False
        session.fault(problem)


def end(session: Session, failed: bool) -> None:
    """The test, with its set-up and tear-down, is over. Never raises."""
    try:
        _end(session, failed)
    except Exception as problem:
        session.holding = False
        session.fault(problem)


def _begin(session: Session) -> None:
    with session.lock:
        session.numbers.settle()
        session.flush(counts=True)
        session.holding = True


def _end(session: Session, failed: bool) -> None:
    with session.lock:
        session.numbers.settle()
        session.holding = False
        if failed:
            session.flush(counts=True)
        else:
            session.records.clear()
            session.contexts.clear()
            session.numbers.collect(session.table)
            session.failures.repeated()
            session.failures.forget()
            session.raises.clear()
        for function in session.table:
            function.unfaithful = True
            if not (function.parked or function.due or function.looking):
                function.calls = function.captures = 0
                function.next = 1
