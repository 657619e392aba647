"""Orders as they come in from partners."""

from __future__ import annotations

from collections.abc import Iterator

TIERS = ("gold", "basic", "silver", None, "gold")
PRICES = (9.99, 19.99, 29.99)


def make_orders(count: int, free_every: int = 0) -> Iterator[dict]:
    """`count` order records; each `free_every`-th holds a free sample (0: none)."""
    for number in range(count):
        yield {
            "number": number,
            "placed": f"2026-{number % 12 + 1:02d}-{number % 28 + 1:02d}",
            "customer": {
                "name": f"Customer {number % 17}",
                "email": f"customer{number % 17}@example.com",
                "tier": TIERS[number % len(TIERS)],
            },
            "lines": [
                {
                    "sku": f" sku-{(number * 7 + k * 131) % 400:04d} ",
                    "quantity": number % 5 + 1,
                    "price": 0.0 if free_every and number % free_every == 0 and k == 2 else PRICES[k],
                }
                for k in range(3)
            ],
        }
