RATES = {"gold": 0.8, "silver": 0.9}


def rate(tier):
    return RATES.get(tier, 1.0)


def quote(price, tier=None):
    return round(price * rate(tier), 2)


def line_total(line):
    return quote(line.price * line.count)


def order_total(order):
    return sum(line_total(line) for line in order.lines)


def total(orders):
    return round(sum(order_total(order) for order in orders), 2)
