"""Run inside the measured process: one workload, warmed up, timed in CPU seconds of this process.

    python recorder_workloads.py WORKLOAD WARM_UP REPETITIONS     → a line of JSON: {"cpu": seconds per repetition,
                                                              "rss_mb": most memory so far}

The workload's own files are in the current folder; this file is not, so that it is not recorded itself.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
import types
from collections.abc import Callable
from pathlib import Path

SQL = (
    "SELECT a, b + 1 AS c FROM t WHERE a > 10 AND b IN (1, 2, 3) ORDER BY c DESC LIMIT 10",
    "WITH x AS (SELECT id, SUM(v) AS s FROM y GROUP BY id) SELECT * FROM x JOIN z ON x.id = z.id WHERE s > 9",
    "SELECT CASE WHEN a = 1 THEN 'one' WHEN a = 2 THEN 'two' ELSE CAST(a AS TEXT) END FROM (SELECT a FROM q) AS w",
    "SELECT ROW_NUMBER() OVER (PARTITION BY d ORDER BY e) AS r, COALESCE(f, g, 0) FROM h LEFT JOIN i USING (k)",
    "INSERT INTO t (a, b) SELECT a, COUNT(*) FROM u WHERE NOT EXISTS (SELECT 1 FROM v WHERE v.a = u.a) GROUP BY a",
    "CREATE TABLE n (id INT PRIMARY KEY, name VARCHAR(20) NOT NULL, price DECIMAL(10, 2) DEFAULT 0.0)",
)

CLIENT = """
import http.client, sys
connection = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]))
for n in range(int(sys.argv[2])):
    path = ("/orders?n=%d" % (n % 40), "/price/%d?tier=gold" % (n % 90 + 1), "/missing")[n % 3]
    connection.request("GET", path)
    connection.getresponse().read()
"""


def richards() -> Callable[[], object]:
    sys.modules["pyperf"] = types.ModuleType("pyperf")
    import richards as module

    return lambda: module.Richards().run(1)


def deltablue() -> Callable[[], object]:
    sys.modules["pyperf"] = types.ModuleType("pyperf")
    import deltablue as module

    return lambda: module.delta_blue(100)


def sqlglot() -> Callable[[], object]:
    import sqlglot as module

    def parse() -> None:
        for _ in range(4):
            for text in SQL:
                module.parse_one(text)

    return parse


def web() -> Callable[[], object]:
    """A repetition is 100 requests of a client process, one after the other."""
    import threading

    import app
    from werkzeug.serving import WSGIRequestHandler, make_server

    WSGIRequestHandler.log_request = lambda *args, **kwargs: None  # type: ignore[method-assign,assignment]
    WSGIRequestHandler.protocol_version = "HTTP/1.1"
    server = make_server("127.0.0.1", 0, app.app, threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("TRACELENS", "PYTHON"))}
    client = [sys.executable, "-S", "-c", CLIENT, str(server.server_port), "300"]

    def load() -> None:
        subprocess.run(client, env=environment, check=True)

    return load


def jinja2() -> Callable[[], object]:
    import pytest

    sys.path.insert(0, str(Path("src").resolve()))
    return lambda: pytest.main(["-q", "-p", "no:cacheprovider", "--no-header", "tests"])


def main() -> None:
    name, warm_up, repetitions = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    sys.path.insert(0, str(Path.cwd()))
    work = {"richards": richards, "deltablue": deltablue, "sqlglot": sqlglot, "web": web, "jinja2": jinja2}[name]()
    for _ in range(warm_up):
        work()
    started = time.process_time() if warm_up else 0.0  # a cold workload counts from the start of the process
    for _ in range(repetitions):
        work()
    cpu = (time.process_time() - started) / repetitions
    print(json.dumps({"cpu": cpu, "rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}), flush=True)


if __name__ == "__main__":
    main()
