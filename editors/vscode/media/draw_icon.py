"""Draws icon.png: a lens over a pulse, 256 x 256 RGBA, with the standard library alone.

Every shape is a signed distance in pixels (negative inside); coverage is the distance clamped to one pixel, which is all
the anti-aliasing an icon needs. Run `python draw_icon.py` beside this file to draw it again.
"""

import math
import struct
import zlib
from pathlib import Path

SIZE = 256
BACKGROUND, RING, PULSE, GLASS = (18, 32, 47), (236, 242, 248), (255, 176, 59), (33, 58, 84)
CENTRE, RADIUS, RING_WIDTH = (112.0, 112.0), 70.0, 13.0
HANDLE = ((166.0, 166.0), (212.0, 212.0))
BEAT = ((52.0, 116.0), (84.0, 116.0), (98.0, 76.0), (120.0, 148.0), (134.0, 104.0), (142.0, 116.0), (172.0, 116.0))


def to_segment(x: float, y: float, a: tuple[float, float], b: tuple[float, float]) -> float:
    """Distance from (x, y) to the segment a-b."""
    dx, dy = b[0] - a[0], b[1] - a[1]
    t = max(0.0, min(1.0, ((x - a[0]) * dx + (y - a[1]) * dy) / (dx * dx + dy * dy)))
    return math.hypot(x - a[0] - t * dx, y - a[1] - t * dy)


def to_rounded_square(x: float, y: float, corner: float) -> float:
    """Signed distance to the icon's own outline."""
    half = SIZE / 2
    qx, qy = abs(x - half) - half + corner, abs(y - half) - half + corner
    return math.hypot(max(qx, 0.0), max(qy, 0.0)) + min(max(qx, qy), 0.0) - corner


def pixel(x: float, y: float) -> tuple[int, int, int, int]:
    """The colour at a pixel's centre: the shapes painted one over the other."""
    from_centre = math.hypot(x - CENTRE[0], y - CENTRE[1])
    shapes = [
        (from_centre - RADIUS, GLASS),
        (to_segment(x, y, *HANDLE) - 13.0, RING),
        (min(to_segment(x, y, a, b) for a, b in zip(BEAT, BEAT[1:])) - 5.5, PULSE),
        (abs(from_centre - RADIUS) - RING_WIDTH / 2, RING),
    ]
    colour: tuple[float, ...] = BACKGROUND
    for distance, paint in shapes:
        share = max(0.0, min(1.0, 0.5 - distance))
        colour = tuple(old + (new - old) * share for old, new in zip(colour, paint))
    alpha = max(0.0, min(1.0, 0.5 - to_rounded_square(x, y, 48.0)))
    red, green, blue = (round(c) for c in colour)
    return red, green, blue, round(255 * alpha)


def chunk(kind: bytes, body: bytes) -> bytes:
    """One PNG chunk: length, kind, body, checksum of kind and body."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def main() -> None:
    """Write icon.png beside this file."""
    rows = b"".join(
        b"\0" + bytes(c for column in range(SIZE) for c in pixel(column + 0.5, row + 0.5)) for row in range(SIZE)
    )
    header = struct.pack(">IIBBBBB", SIZE, SIZE, 8, 6, 0, 0, 0)
    png = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows, 9)) + chunk(b"IEND", b"")
    Path(__file__).with_name("icon.png").write_bytes(png)


if __name__ == "__main__":
    main()
