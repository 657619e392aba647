from __future__ import annotations

from dataclasses import dataclass, field


class OrderError(ValueError):
    """Raised for an order that cannot be processed."""


@dataclass
class Item:
    sku: str
    qty: int
    unit_price: float

    @property
    def total(self) -> float:
        return self.qty * self.unit_price


@dataclass
class Order:
    order_id: int
    customer: str
    items: list[Item] = field(default_factory=list)

    class Status:
        @staticmethod
        def label(code: int) -> str:
            return {0: "new", 1: "paid"}.get(code, "unknown")

    @classmethod
    def from_dict(cls, raw: dict) -> Order:
        return cls(raw["id"], raw["customer"], [Item(**i) for i in raw["items"]])
