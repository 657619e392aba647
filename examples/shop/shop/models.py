"""Orders and what they are made of."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from enum import Enum


class OrderError(ValueError):
    """An order that cannot be processed."""


class Status(Enum):
    NEW = "new"
    RESERVED = "reserved"
    PAID = "paid"


@dataclass
class Customer:
    name: str
    email: str
    tier: str | None = None


@dataclass
class Line:
    sku: str
    quantity: int
    price: float

    @property
    def amount(self) -> float:
        return self.quantity * self.price


@dataclass
class Order:
    number: int
    customer: Customer
    lines: list[Line] = field(default_factory=list)
    placed: date = date(2026, 1, 1)
    status: Status = Status.NEW

    @classmethod
    def from_record(cls, record: dict) -> Order:
        customer = Customer(**record["customer"])
        lines = [Line(**line) for line in record["lines"]]
        return cls(record["number"], customer, lines, date.fromisoformat(record["placed"]))
