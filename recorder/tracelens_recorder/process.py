"""Starts the recorder in this process and ends it, through forks and at exit."""

from __future__ import annotations

import atexit
import os
import sys
from typing import Any, Optional, Union

from tracelens_recorder import launch
from tracelens_recorder.sampler import Sampler
from tracelens_recorder.scope import Scope
from tracelens_recorder.session import Session


class Recorder:
    """A session, what collects for it, and the sampler beside it."""

    def __init__(self, out: str, root: str, options: launch.Options) -> None:
        modern = sys.version_info >= (3, 12)
        self.session = Session(out, Scope(root, options.include), options, "monitoring" if modern else "profiling")
        self.sampler = Sampler(self.session)
        self._multiprocessing_told = False
        collector: Any
        if modern:
            from tracelens_recorder.monitoring import Monitoring

            collector = Monitoring(self.session)
        else:
            from tracelens_recorder.profiling import Profiling

            collector = Profiling(self.session)
        self.collector = collector

    def start(self) -> None:
        collecting = self.collector.start()
        atexit.register(self.stop)
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(
                before=self._before_fork, after_in_parent=self._after_in_parent, after_in_child=self._after_in_child
            )
        if collecting:
            self.sampler.start()

    def stop(self) -> None:
        """Callbacks must be gone before the interpreter takes the modules apart."""
        try:
            self.collector.stop()
            self.sampler.stop()
            self.session.close()
        except Exception as problem:
            self.session.first_fault = self.session.first_fault or type(problem).__name__

    def _before_fork(self) -> None:
        try:
            self.sampler.stop()
            if not self._multiprocessing_told:
                util = sys.modules.get("multiprocessing.util")
                if util is not None:
                    # its children leave through os._exit, after what they call finalizers and not after atexit
                    util.register_after_fork(self, _finish_with_multiprocessing)
                    self._multiprocessing_told = True
            self.session.lock.acquire()
        except Exception:
            self.session.faults += 1

    def _after_in_parent(self) -> None:
        try:
            self.session.lock.release()
            if not self.session.closed:
                self.sampler.start()
        except Exception:
            self.session.faults += 1

    def _after_in_child(self) -> None:
        try:
            closed = self.session.closed
            self.session.in_child()
            self.session.closed = closed
            self.sampler.forget()
            if not closed:
                self.sampler.start()
        except Exception:
            self.session.faults += 1


def _finish_with_multiprocessing(recorder: Recorder) -> None:
    from multiprocessing.util import Finalize

    Finalize(None, recorder.session.close, exitpriority=-(10**6))


_recorder: Optional[Recorder] = None


def start_from_environment() -> Union[Recorder, None]:
    """Record this process if the environment asks for it (`launch.environment` sets what is read here). Once."""
    global _recorder
    out, root = os.environ.get(launch.OUT), os.environ.get(launch.ROOT)
    if not out or not root or _recorder is not None:
        return _recorder
    recorder = Recorder(out, root, launch.Options.from_json(os.environ.get(launch.OPTIONS, "")))
    _recorder = recorder
    recorder.start()
    return recorder
