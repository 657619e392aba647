"""Which requests are recorded: by chance, or because they ask for it.

While no request that was chosen is served, the recorder listens to nothing; while one is, what runs for requests that
were not chosen is left out, and counts are then at least. A rate of 1 records everything, also between requests.
"""

from __future__ import annotations

import os
from _random import Random
from typing import Any, Optional

from tracelens_recorder import configuration, control, launch, process
from tracelens_recorder.context import NOTHING, Context, current, plain
from tracelens_recorder.workspace import find_root, folder_with_siblings

HEADER = "x-tracelens"
"""A request with this header is recorded whatever the rate (`1`), or not (`0`), where `trust_header` allows it."""
REQUEST_ID = "x-request-id"

rate: Optional[float] = None
"""Set by `set_rate`; None: as the middleware or the configuration says."""
_HEXADECIMAL = frozenset("0123456789abcdef")
_live = 0
"""Requests in progress that were chosen."""
_lot = Random()


def set_rate(share: float) -> None:
    """From now on the middlewares have this share of the requests recorded: 0.01 is one of a hundred."""
    global rate
    if not 0 <= share <= 1:
        raise ValueError(f"{share!r} is not a share of the requests: 0.01 is one of a hundred")
    rate = float(share)


class Sampling:
    """The choice for one application."""

    def __init__(self, share: Optional[float], header: Optional[str], start: bool) -> None:
        if share is not None and not 0 <= share <= 1:
            raise ValueError(f"{share!r} is not a share of the requests: 0.01 is one of a hundred")
        self.share = share
        self.header = header.lower() if header else None
        self.start = start

    def chooses(self, asked: str) -> bool:
        """Whether to record a request. `asked`: the value of its header, "" none."""
        if configuration.switched_off():
            return False
        if self.header and asked in ("0", "1"):
            return asked == "1"
        share = self._rate()
        return share >= 1 or bool(_lot.random() < share)

    def _rate(self) -> float:
        if rate is not None:
            return rate
        if self.share is not None:
            return self.share
        recorder = process.current()
        return recorder.session.options.rate if recorder is not None else 1.0

    def begin(self, chosen: bool, context: Context) -> Any:
        """A request begins; gives back what `end` wants to know."""
        global _live
        recorder = process.current()
        if recorder is None and chosen and self.start:
            root = find_root(os.environ.get(launch.ROOT) or None)
            name = os.path.basename(root) or "server"
            control.start(name, root=root, out=os.environ.get(launch.OUT) or folder_with_siblings(root, name))
            recorder = process.current()
        selective = self._rate() < 1
        if recorder is not None and selective:
            with recorder.session.lock:
                if recorder.session.gate is None:
                    recorder.session.gate = _is_left_out
                    recorder.pause()
                if chosen:
                    _live += 1
                    if _live == 1:
                        recorder.resume()
        return current.set(context), chosen and selective

    def end(self, begun: Any) -> None:
        global _live
        token, counted = begun
        from tracelens_recorder.context import leave

        leave(token)
        recorder = process.current()
        if counted and recorder is not None:
            with recorder.session.lock:
                _live = max(0, _live - 1)
                if not _live and recorder.session.gate is not None:
                    recorder.pause()


def _is_left_out() -> bool:
    return current.get().sampled is False


def context_of(chosen: bool, identity: str, route: str) -> Context:
    """What is known of a request at its beginning."""
    from binascii import hexlify

    identity = plain(identity)[:100] or hexlify(os.urandom(8)).decode("ascii")
    return (current.get() or NOTHING).but(request=identity, route=route, sampled=chosen)


def remote_of(traceparent: str) -> "tuple[str, str]":
    """(trace, span) of a W3C traceparent header; ("", "") when there is none that can be read."""
    parts = traceparent.strip().split("-")
    if len(parts) < 4 or len(parts[1]) != 32 or len(parts[2]) != 16 or set(parts[1] + parts[2]) - _HEXADECIMAL:
        return "", ""
    return (parts[1], parts[2]) if parts[1].strip("0") and parts[2].strip("0") else ("", "")
