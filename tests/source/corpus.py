"""Real files: a fixed sample of the running interpreter's own standard library."""

from __future__ import annotations

import random
import sysconfig
from pathlib import Path

STANDARD_LIBRARY = Path(sysconfig.get_path("stdlib"))


def sample(count: int, seed: int = 1) -> list[Path]:
    """`count` files, the same ones for the same seed, small enough to be read quickly."""
    files = sorted(
        path
        for path in STANDARD_LIBRARY.rglob("*.py")
        if not {"site-packages", "lib2to3"} & set(path.parts) and path.stat().st_size < 80_000
    )
    return random.Random(seed).sample(files, min(count, len(files)))
