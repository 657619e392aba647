import asyncio
import sys

from .feed import make_orders
from .inventory import Warehouse
from .service import OrderService


def main(count: int = 200) -> int:
    service = OrderService(Warehouse())
    totals = service.checkout_all(make_orders(count, free_every=70))
    notes = asyncio.run(service.notify_all(make_orders(count)))
    print(f"{len(totals)} paid, {len(service.failed)} failed, {len(notes)} notified")
    return 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 200))
