"""Celery: `tracelens_recorder.celery_tasks.install()` beside the application, and each task is recorded as one.

Its name and id stand on each of its calls; tasks that fail are seen with their exceptions anyway. Workers are recorded
as any other process is: `tracelens record -- celery -A shop worker`, TRACELENS=1, or `start=True` here.
"""

from __future__ import annotations

from typing import Any, Dict, Optional

from tracelens_recorder.sampling import Sampling, context_of
from tracelens_recorder.spans import SERVER, Span

_running: Dict[str, Any] = {}
"""By task id: (sampling, what it began, span)."""


def install(*, rate: Optional[float] = None, start: bool = False) -> None:
    """Listen to the tasks of this process. `rate`: share of the tasks that are recorded (default: the configuration's).
    `start`: begin recording with the first task that is chosen, where nothing else has begun it."""
    from celery import signals  # type: ignore[import-not-found,unused-ignore]

    sampling = Sampling(rate, None, start)

    def prerun(task_id: Any = None, task: Any = None, **_: Any) -> None:
        try:
            name = str(getattr(task, "name", "") or "task")
            chosen = sampling.chooses("")
            begun = sampling.begin(chosen, context_of(chosen, str(task_id), "").but(task=name))
            span = None
            if chosen:
                span = Span(name, "task", {"messaging.system": "celery", "messaging.message.id": task_id}, kind=SERVER)
                span.enter()
            _running[str(task_id)] = (sampling, begun, span)
        except Exception:  # the task must run
            _running.pop(str(task_id), None)

    def postrun(task_id: Any = None, retval: Any = None, state: Any = None, **_: Any) -> None:
        try:
            known = _running.pop(str(task_id), None)
            if known is not None:
                _, begun, span = known
                if span is not None:
                    span.set("celery.state", str(state))
                    span.finish(retval if isinstance(retval, BaseException) else None)
                sampling.end(begun)
        except Exception:
            return

    signals.task_prerun.connect(prerun, weak=False, dispatch_uid="tracelens-prerun")
    signals.task_postrun.connect(postrun, weak=False, dispatch_uid="tracelens-postrun")
