"""What an order costs."""

from __future__ import annotations

from .decorators import timed
from .models import Order

DISCOUNTS = {"gold": 0.20, "silver": 0.10, "basic": 0.0}
HIGHEST_DISCOUNT = 0.15


def tax_rate(country: str) -> float:
    rates = {"DE": 0.19, "FR": 0.20, "US": 0.07}
    return rates.get(country, 0.0)


def apply_discount(price: float, tier: str = "basic") -> float:
    """The price after the discount of a customer's tier, which is never more than the highest one."""
    saving = price * DISCOUNTS.get(tier or "basic", 0.0)
    if saving / price > HIGHEST_DISCOUNT:
        saving = price * HIGHEST_DISCOUNT
    return round(price - saving, 2)


@timed
def order_total(order: Order, country: str = "DE") -> float:
    """What the customer pays, tax included."""
    net = sum(apply_discount(line.price, order.customer.tier) * line.quantity for line in order.lines)
    return round(net * (1 + tax_rate(country)), 2)
