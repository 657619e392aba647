"""Runs a test file against several versions of the code. Runs inside the sandbox, in the project's own interpreter.

Standard library and the project's pytest alone. A JSON job comes on standard input, one JSON answer goes to the
descriptor named in argv. Each version is tried in a forked process, which imports the code anew; files are put back
afterwards.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import traceback
from typing import Any


def main() -> None:
    answer = int(sys.argv[1])
    job = json.loads(sys.stdin.buffer.read())
    os.set_inheritable(answer, False)
    sys.path[:] = job["sys_path"] + [one for one in sys.path[1:] if one not in job["sys_path"]]
    said = {"nonce": job["nonce"], "problem": "", "versions": []}  # type: dict[str, Any]
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # some need what is not in here
    try:
        import pytest  # noqa: F401 (loaded once, for all versions)
    except ImportError:
        said["problem"] = "the project's interpreter has no pytest"
    else:
        for version in job["versions"]:
            said["versions"].append(_tried(job, version, answer))
    data = json.dumps(said).encode()
    while data:
        data = data[os.write(answer, data) :]
    os._exit(0)


def _tried(job: dict[str, Any], version: dict[str, str], answer: int) -> dict[str, str]:
    """Test → "passed", "failed" or "error"; {} when it came to no end."""
    before = {}
    for path, text in version.items():
        full = os.path.join(job["root"], *path.split("/"))
        with open(full, "rb") as file:
            before[full] = file.read()
        with open(full, "wb") as file:
            file.write(text.encode("utf-8", "surrogateescape"))
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.close(read)
            os.close(answer)
            signal.setitimer(signal.ITIMER_REAL, job["seconds"])
            data = json.dumps(_run(job)).encode()
            while data:
                data = data[os.write(write, data) :]
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        data = pipe.read()
    os.waitpid(pid, 0)
    for full, content in before.items():
        with open(full, "wb") as file:
            file.write(content)
    try:
        said = json.loads(data)  # type: dict[str, str]
    except ValueError:
        return {}
    return said


def _run(job: dict[str, Any]) -> dict[str, str]:
    import pytest

    outcomes = {}  # type: dict[str, str]

    class Listener:
        def pytest_runtest_logreport(self, report: Any) -> None:
            name = report.nodeid.rpartition("::")[2]
            if report.when == "call":
                outcomes[name] = "passed" if report.passed else "failed"
                if report.failed and report.longrepr is not None:
                    outcomes[name] += ": " + str(getattr(report.longrepr, "reprcrash", report.longrepr))[-300:]
            elif report.failed:
                outcomes[name] = "error: " + str(report.longrepr)[-300:]

        def pytest_collectreport(self, report: Any) -> None:
            if report.failed:
                outcomes[""] = "error: " + str(report.longrepr)[-400:]

    arguments = [job["test"], "-q", "-p", "no:cacheprovider", "-o", "addopts=", "--rootdir", job["root"], "--tb=short"]
    pytest.main(arguments, plugins=[Listener()])
    return outcomes


if __name__ == "__main__":
    main()
