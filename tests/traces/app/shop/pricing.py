import functools

from .decorators import timed
from .models import Item, Order, OrderError

DISCOUNTS = {"gold": 0.2, "silver": 0.1}


@functools.cache
def tax_rate(country: str) -> float:
    return {"US": 0.07, "DE": 0.19}[country]


@timed(
    label="pricing",
)
def price_order(order: Order, tier: str = "none", country: str = "US") -> float:
    subtotal = sum(line_total(i) for i in order.items)
    discounted = apply_discount(subtotal, tier)
    return round(discounted * (1 + tax_rate(country)), 2)


def line_total(item: Item) -> float:
    if item.qty <= 0:
        raise OrderError(f"bad quantity {item.qty} for {item.sku}")
    return item.total


def apply_discount(amount: float, tier: str) -> float:
    pick = lambda t: DISCOUNTS.get(t, 0.0)

    def clamp(x):
        return max(0.0, min(1.0, x))

    return amount * (1 - clamp(pick(tier)))
