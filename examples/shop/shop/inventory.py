"""What is in stock."""

from __future__ import annotations

from .models import Order, OrderError, Status


class Warehouse:
    """The stock of one warehouse, as it came from the supplier's list."""

    def __init__(self, size: int = 400):
        self.rows = [{"sku": f"SKU-{n:04d}", "left": 10_000} for n in range(size)]

    def find(self, sku: str) -> dict:
        """The row of an article. Looks at one row after the other, and at each in full."""
        for row in self.rows:
            if normalise(row["sku"]) == normalise(sku):
                return row
        raise KeyError(sku)

    def reserve(self, order: Order) -> int:
        reserved = 0
        for line in order.lines:
            if line.quantity <= 0:
                raise OrderError(f"quantity {line.quantity} of {line.sku}")
            row = self.find(line.sku)
            row["left"] -= line.quantity
            reserved += line.quantity
        order.status = Status.RESERVED
        return reserved


def normalise(sku: str) -> str:
    return sku.strip().upper().replace("_", "-")
