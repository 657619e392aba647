"""Records calls, values and exceptions of the program it runs in.

    import tracelens_recorder as tracelens

    with tracelens.recording():          # this block, into .tracelens/ of the workspace
        handle(order)

    @tracelens.trace(kind="tool")        # every call of it is kept, and said to be a tool
    def search(query): ...

docs/recording.md has all ways in. Nothing is imported until it is asked for: `tracelens record` puts this package into
programs that never heard of it. PYTEST_DONT_REWRITE: it may be loaded before pytest is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tracelens_recorder.context import metadata, tag, tagged, user
    from tracelens_recorder.control import disable, enable, is_recording, recording, set_budget, start, stop
    from tracelens_recorder.marks import agent, prompt, record_call, tool, trace
    from tracelens_recorder.sampling import set_rate

__all__ = [
    "agent",
    "disable",
    "enable",
    "is_recording",
    "metadata",
    "prompt",
    "record_call",
    "recording",
    "set_budget",
    "set_rate",
    "start",
    "stop",
    "tag",
    "tagged",
    "tool",
    "trace",
    "user",
]

_WHERE = {
    "context": ("metadata", "tag", "tagged", "user"),
    "control": ("disable", "enable", "is_recording", "recording", "set_budget", "start", "stop"),
    "sampling": ("set_rate",),
    "marks": ("agent", "prompt", "record_call", "tool", "trace"),
}


def __getattr__(name: str) -> Any:
    for module, names in _WHERE.items():
        if name in names:
            from importlib import import_module

            found = getattr(import_module("tracelens_recorder." + module), name)
            globals()[name] = found
            return found
    raise AttributeError(f"module 'tracelens_recorder' has no attribute {name!r}")
