"""One writer at a time. The lock is the operating system's: it goes when its holder dies, however it dies."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from tracelens_indexer.errors import StoreError

PATIENCE_SECONDS = 60.0


@contextmanager
def writer_lock(path: Path, said: Callable[[str], None], patience: float = PATIENCE_SECONDS) -> Iterator[None]:
    """Hold the workspace's write lock; wait for another writer, saying so. Raises StoreError when it takes too long."""
    lock = FileLock(str(path))
    holder = path.with_name("lock.holder")
    try:
        try:
            lock.acquire(timeout=0)
        except Timeout:
            said(f"waiting for another tracelens that is writing here ({_holder(holder)})")
            lock.acquire(timeout=patience)
    except Timeout as error:
        raise StoreError(
            f"{path.parent}: another tracelens has been writing for over {patience:.0f} s ({_holder(holder)}). "
            "Try again when it has finished"
        ) from error
    except OSError as error:
        raise StoreError(f"{path}: cannot be locked ({error.strerror})") from error
    try:
        holder.write_text(f"{os.getpid()} {' '.join(sys.argv[1:3])}")
        yield
    finally:
        holder.unlink(missing_ok=True)
        lock.release()


def _holder(path: Path) -> str:
    try:
        pid, _, command = path.read_text()[:200].partition(" ")
    except OSError:
        return "unknown process"
    return f"pid {pid}: {command}" if command else f"pid {pid}"
