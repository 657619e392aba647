"""Buckets of durations: bucket b holds [1.02**b, 1.02**(b+1)) nanoseconds, 0 and 1 ns share bucket 0.

The indexer adds these up (profiles/histogram.py there has the same buckets); the recorder imports nothing of it.
"""

from __future__ import annotations

import math

BASE = 1.02
_LOG = math.log(BASE)
_log = math.log


def bucket(duration_ns: int) -> int:
    return int(_log(duration_ns) / _LOG) if duration_ns > 1 else 0
