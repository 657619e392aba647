"""Starts the recorder in this process and ends it, through forks and at exit."""

from __future__ import annotations

import atexit
import os
import sys
from typing import Any, Callable, List, Optional

from tracelens_recorder import launch, libraries
from tracelens_recorder.redact import configure
from tracelens_recorder.sampler import Sampler
from tracelens_recorder.scope import Scope
from tracelens_recorder.session import Session


class Recorder:
    """A session, what collects for it, and the sampler beside it."""

    def __init__(self, out: str, root: str, options: launch.Options) -> None:
        modern = sys.version_info >= (3, 12)
        problems = configure(options.redact_names, options.redact_patterns)
        self.session = Session(out, Scope(root, options.include), options, "monitoring" if modern else "profiling")
        self.session.notes += problems
        self.sampler = Sampler(self.session)
        self.multiprocessing_told = False
        collector: Any
        if modern:
            from tracelens_recorder.monitoring import Monitoring

            collector = Monitoring(self.session)
        else:
            from tracelens_recorder.profiling import Profiling

            collector = Profiling(self.session)
        self.collector = collector
        self.collecting = False
        self.paused = False
        self.exporter: Any = None
        """Ships spans (otlp.py), where the user's environment asks for it."""

    def start(self) -> None:
        _once()
        self.collecting = self.collector.start()
        if self.collecting:
            self.sampler.start()
            libraries.watch()
            if "TRACELENS_OTLP_ENDPOINT" in os.environ or "TRACELENS_OTLP" in os.environ:
                from tracelens_recorder import otlp

                self.exporter = otlp.begin(self.session)

    def stop(self) -> None:
        """Callbacks must be gone before the interpreter takes the modules apart."""
        try:
            self.sampler.stop()  # first: it listens to parked functions again
            self.collector.stop()
            if self.exporter is not None:
                from tracelens_recorder import otlp

                otlp.end(self.exporter)
            self.session.close()
        except Exception as problem:
            self.session.first_fault = self.session.first_fault or type(problem).__name__

    def pause(self) -> None:
        """Record nothing for a while. What runs meanwhile is not counted, and so all counts are at least."""
        with self.session.lock:
            if self.paused or not self.collecting:
                return
            self.paused = True
            self.collector.pause()
            self.session.missed_some()

    def resume(self) -> None:
        with self.session.lock:
            if not self.paused:
                return
            self.paused = False
            self.session.missed_some()
            self.collector.resume()

    def before_fork(self) -> None:
        self.sampler.stop()
        if not self.multiprocessing_told:
            util = sys.modules.get("multiprocessing.util")
            if util is not None:
                # its children leave through os._exit, after what they call finalizers and not after atexit
                util.register_after_fork(self, _finish_with_multiprocessing)
                self.multiprocessing_told = True
        self.session.lock.acquire()

    def after_in_parent(self) -> None:
        self.session.lock.release()
        if self.collecting and not self.session.closed:
            self.sampler.start()

    def after_in_child(self) -> None:
        closed = self.session.closed
        self.session.in_child()
        self.session.closed = closed
        self.sampler.forget()
        if self.collecting and not closed:
            self.sampler.start()


def _finish_with_multiprocessing(recorder: Recorder) -> None:
    from multiprocessing.util import Finalize

    Finalize(None, recorder.session.close, exitpriority=-(10**6))


_recorder: Optional[Recorder] = None
_registered = False


def _once() -> None:
    """What is asked of the interpreter once, for all recordings of this process one after the other."""
    global _registered
    if _registered:
        return
    _registered = True
    atexit.register(end)
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(
            before=_told("before_fork"),
            after_in_parent=_told("after_in_parent"),
            after_in_child=_told("after_in_child"),
        )


def _told(name: str) -> Callable[[], None]:
    def tell() -> None:
        if name == "before_fork":
            _forking[:] = [_recorder] if _recorder is not None else []
        for recorder in _forking:
            try:
                getattr(recorder, name)()
            except Exception:
                recorder.session.faults += 1

    return tell


_forking: List[Recorder] = []
"""Whom the fork in progress concerns: recording may begin or end in another thread meanwhile."""


def current() -> Optional[Recorder]:
    """The recorder of this process; None when it is not recorded."""
    return _recorder


def begin(out: str, root: str, options: launch.Options) -> Recorder:
    """Record this process from now on. Gives back the recorder that is there already, if one is."""
    global _recorder
    if _recorder is None:
        recorder = Recorder(out, root, options)
        _recorder = recorder
        recorder.start()
    return _recorder


def end() -> None:
    """Write what there is and record no more. Another recording may begin afterwards."""
    global _recorder
    recorder, _recorder = _recorder, None
    if recorder is not None:
        recorder.stop()


def start_from_environment() -> Optional[Recorder]:
    """Record this process if the environment asks for it (`launch.environment` sets what is read here). Once."""
    out, root = os.environ.get(launch.OUT), os.environ.get(launch.ROOT)
    if not out or not root or _recorder is not None:
        return _recorder
    return begin(out, root, launch.Options.from_json(os.environ.get(launch.OPTIONS, "")))
