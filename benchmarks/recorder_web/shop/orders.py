from dataclasses import dataclass, field


class NotFound(Exception):
    pass


@dataclass
class Line:
    sku: str
    price: float
    count: int = 1


@dataclass
class Order:
    id: int
    customer: str
    lines: list = field(default_factory=list)

    def add(self, sku, price, count=1):
        self.lines.append(Line(sku, price, count))
        return self

    def as_dict(self):
        return {"id": self.id, "customer": self.customer, "lines": [line_dict(line) for line in self.lines]}


def line_dict(line):
    return {"sku": line.sku, "price": line.price, "count": line.count}


def make(n):
    return [Order(i, f"customer {i % 7}").add(f"a{i}", 9.99).add("b", 1.5, i % 3) for i in range(n)]


def find(orders, wanted):
    for order in orders:
        if order.id == wanted:
            return order
    raise NotFound(f"no order {wanted}")
