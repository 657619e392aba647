"""Taking an order from its record to the paid invoice and the customer's note."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from .inventory import Warehouse
from .models import Order, OrderError, Status
from .pricing import order_total


class OrderService:
    def __init__(self, warehouse: Warehouse):
        self.warehouse = warehouse
        self.failed: list[tuple[int, str]] = []

    def checkout(self, record: dict, *, country: str = "DE") -> float:
        """Reserve and price one order; the amount to pay."""
        order = Order.from_record(record)
        self.warehouse.reserve(order)
        total = order_total(order, country)
        order.status = Status.PAID
        return total

    def checkout_all(self, records: Iterable[dict]) -> dict[int, float]:
        """Amounts by order number; what fails is kept in `failed` and does not stop the others."""
        totals = {}
        for record in records:
            try:
                totals[record["number"]] = self.checkout(record)
            except (OrderError, ArithmeticError) as error:
                self.failed.append((record["number"], str(error)))
        return totals

    async def notify(self, number: int, email: str) -> str:
        await asyncio.sleep(0)
        return f"order {number} is on its way to {email}"

    async def notify_all(self, records: Iterable[dict]) -> list[str]:
        return await asyncio.gather(*(self.notify(r["number"], r["customer"]["email"]) for r in records))
