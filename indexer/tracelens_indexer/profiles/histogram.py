"""The log histogram of durations: additive, and within 1 % at every quantile.

Bucket b holds durations in [1.02**b, 1.02**(b+1)) nanoseconds; 0 and 1 ns share bucket 0. Counts of equal buckets
add up over batches, runs and machines, which no sketch with internal state does as simply.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from numpy.typing import NDArray

BASE: Final = 1.02
_LOG: Final = math.log(BASE)


def bucket(duration_ns: int) -> int:
    return int(math.log(duration_ns) / _LOG) if duration_ns > 1 else 0


def buckets(durations_ns: NDArray[Any]) -> NDArray[Any]:
    """`bucket` of many."""
    import numpy

    found: NDArray[Any] = (numpy.log(numpy.maximum(durations_ns, 1)) / _LOG).astype(numpy.int64)
    return found


def middle(index: int) -> float:
    """Nanoseconds in the (geometric) middle of a bucket."""
    return math.pow(BASE, index + 0.5)


def quantile(buckets: Mapping[int, int], q: float) -> float | None:
    """The q-quantile in nanoseconds, 0 ≤ q ≤ 1; None of an empty histogram."""
    return quantiles(buckets, q)[0]


def quantiles(buckets: Mapping[int, int], *wanted: float) -> list[float | None]:
    """Several of one histogram."""
    ordered = sorted(buckets)
    seen = list(accumulate(map(buckets.__getitem__, ordered)))
    if not seen or not seen[-1]:
        return [None] * len(wanted)
    ranks = (bisect_right(seen, q * (seen[-1] - 1)) for q in wanted)
    return [middle(ordered[min(rank, len(ordered) - 1)]) for rank in ranks]
