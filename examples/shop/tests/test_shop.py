import asyncio

import pytest
from shop.feed import make_orders
from shop.inventory import Warehouse
from shop.models import Order, OrderError
from shop.pricing import apply_discount, order_total
from shop.service import OrderService


@pytest.fixture
def service():
    return OrderService(Warehouse())


def test_checkout(service):
    assert service.checkout(next(make_orders(1))) == 60.65


def test_a_day_of_orders(service):
    totals = service.checkout_all(make_orders(600))
    assert len(totals) == 600 and not service.failed


def test_discount_is_capped():
    assert apply_discount(100.0, "gold") == 85.0
    assert apply_discount(100.0, "silver") == 90.0
    assert apply_discount(100.0) == 100.0


def test_free_sample(service):
    totals = service.checkout_all(make_orders(30, free_every=10))
    assert len(totals) == 30, f"failed: {service.failed}"


def test_wrong_quantity(service):
    record = next(make_orders(1))
    record["lines"][0]["quantity"] = -1
    with pytest.raises(OrderError):
        service.checkout(record)


def test_notes(service):
    notes = asyncio.run(service.notify_all(make_orders(25)))
    assert len(notes) == 25


def test_order_total_is_timed():
    order = Order.from_record(next(make_orders(1)))
    order_total(order)
    assert order_total.seconds > 0
