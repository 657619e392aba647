"""Code in the sandbox cannot get out of it. Every probe here is harmless where it would not be held."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import pytest

from tracelens.replay import sandbox
from tracelens.replay.sandbox import LAYERS, Finished, Limits, NoSandbox, Rung

pytestmark = pytest.mark.skipif(
    isinstance(sandbox.probe(sys.executable), NoSandbox), reason="no sandbox on this machine"
)
EVERY_RUNG = [LAYERS, ("landlock", "seccomp")]


def in_sandbox(code: str, *, layers: Any = LAYERS, limits: Limits | None = None, **given: Any) -> tuple[Any, Finished]:
    """Run code that ends with `say(value)`; returns the value and how it ended."""
    head = """
import json, os, socket, sys
given = json.loads(sys.stdin.read())
def say(value): os.write(int(sys.argv[1]), json.dumps(value).encode())
def refused(function):
    try:
        function()
    except OSError as error:
        return type(error).__name__
    return ""
"""
    with sandbox.scratch_folder() as scratch:
        finished = sandbox.run(
            [sys.executable, "-I", "-S", "-c", head + textwrap.dedent(code), "{answer}"],
            scratch=scratch,
            folder=scratch,
            readable=sandbox.interpreter_folders(sys.executable),
            request=json.dumps(given).encode(),
            limits=limits or Limits(wall_seconds=20),
            layers=layers,
        )
    assert not finished.error
    return (json.loads(finished.answer) if finished.answer else None), finished


@pytest.mark.parametrize("layers", EVERY_RUNG, ids="+".join)
def test_the_probe_finds_each_rung_to_hold(layers: Any) -> None:
    rung = sandbox.probe(sys.executable, layers)
    assert isinstance(rung, Rung), rung
    assert "Landlock + seccomp" in rung.name


@pytest.mark.parametrize("layers", [(), ("seccomp",), ("landlock",), ("namespaces", "seccomp")], ids="+".join)
def test_a_layer_short_is_no_sandbox(layers: Any) -> None:
    found = sandbox.probe(sys.executable, layers)
    assert isinstance(found, NoSandbox)
    assert "code inside it could" in found.reason


@pytest.mark.parametrize("layers", EVERY_RUNG, ids="+".join)
def test_files_outside_can_be_neither_written_nor_read(layers: Any, tmp_path: Path) -> None:
    home = tmp_path / "home" / ".ssh"
    home.mkdir(parents=True)
    key = home / "id_rsa"
    key.write_text("secret")
    for one in (tmp_path, tmp_path / "home", home):
        one.chmod(0o777)
    key.chmod(0o666)
    code = """
    key = given["key"]
    say({
        "read": refused(lambda: open(key).close()),
        "write": refused(lambda: open(key, "w").close()),
        "truncate": refused(lambda: os.truncate(key, 0)),
        "remove": refused(lambda: os.unlink(key)),
        "rename": refused(lambda: os.rename(key, key + "2")),
        "create": refused(lambda: open(key + ".new", "w").close()),
        "link": refused(lambda: os.link(key, "linked")),
        "make": refused(lambda: os.mkdir(key + ".folder")),
        "mode": refused(lambda: os.chmod(key, 0o600)),
        "list": refused(lambda: os.listdir(os.path.dirname(key))),
        "through a link": refused(lambda: (os.symlink(key, "way"), open("way").close())),
        "passwords": refused(lambda: open("/etc/shadow").close()),
        "processes": refused(lambda: os.listdir("/proc")),
    })
    """
    said, finished = in_sandbox(code, layers=layers, key=str(key))
    assert said is not None, finished.output
    assert all(said.values()), said
    assert key.read_text() == "secret"
    assert [one.name for one in home.iterdir()] == ["id_rsa"]


@pytest.mark.parametrize("layers", EVERY_RUNG, ids="+".join)
def test_nothing_reaches_the_network(layers: Any) -> None:
    with socket.socket() as tcp, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        tcp.bind(("127.0.0.1", 0))
        tcp.listen()
        udp.bind(("127.0.0.1", 0))
        udp.settimeout(0.2)
        code = """
        kinds = [(socket.AF_INET, socket.SOCK_STREAM), (socket.AF_INET, socket.SOCK_DGRAM),
            (socket.AF_INET6, socket.SOCK_STREAM), (socket.AF_UNIX, socket.SOCK_STREAM),
            (socket.AF_NETLINK, socket.SOCK_RAW), (socket.AF_PACKET, socket.SOCK_RAW)]
        said = {str(kind): refused(lambda: socket.socket(*kind)) for kind in kinds}
        said["datagram pair"] = refused(lambda: socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM))
        a, b = socket.socketpair()
        a.send(b"x")
        said["stream pairs stay"] = b.recv(1).decode()
        say(said)
        """
        said, finished = in_sandbox(code, layers=layers, tcp=tcp.getsockname()[1])
        assert said is not None, finished.output
        assert all(said.values()), said
        with pytest.raises(TimeoutError):
            udp.recv(1)


@pytest.mark.parametrize("layers", EVERY_RUNG, ids="+".join)
def test_other_processes_cannot_be_signalled_or_traced(layers: Any) -> None:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as other:
        code = """
        import ctypes
        libc = ctypes.CDLL(None, use_errno=True)
        pid = given["pid"]
        say({
            "signal": refused(lambda: os.kill(pid, 0)),
            "term": refused(lambda: os.kill(pid, 15)),
            "group": refused(lambda: os.killpg(pid, 0)),
            "trace": libc.ptrace(16, pid, 0, 0) == -1,
            "mount": libc.mount(b"none", b"/tmp", b"tmpfs", 0, None) == -1,
            "namespace": libc.unshare(0x10000000) == -1,
        })
        """
        said, finished = in_sandbox(code, layers=layers, pid=other.pid)
        assert said is not None, finished.output
        assert all(said.values()), said
        assert other.poll() is None
        other.kill()


def test_the_environment_and_descriptors_stay_outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    with (tmp_path / "open").open("w") as held:
        os.set_inheritable(held.fileno(), True)
        code = """
        open_ones = []
        for fd in range(3, 64):
            try:
                os.fstat(fd)
                open_ones.append(fd)
            except OSError:
                pass
        say({"environment": sorted(os.environ), "open": open_ones, "answer": int(sys.argv[1])})
        """
        said, finished = in_sandbox(code)
    assert said is not None, finished.output
    assert "OPENAI_API_KEY" not in said["environment"]
    assert set(said["open"]) <= {said["answer"]}


@pytest.mark.parametrize("layers", EVERY_RUNG, ids="+".join)
def test_forking_memory_files_and_time_are_bounded(layers: Any) -> None:
    limits = Limits(
        wall_seconds=20, cpu_seconds=5, memory_bytes=512 * 1024**2, file_bytes=1024**2, processes=20, files=32
    )
    code = """
    import time
    made = 0
    why = ""
    while made < 200:  # bounded here too
        try:
            if os.fork() == 0:
                time.sleep(5)
                os._exit(0)
            made += 1
        except OSError as error:
            why = type(error).__name__
            break
    try:
        bytearray(1024**3)
        memory = ""
    except MemoryError:
        memory = "MemoryError"
    def fill():
        with open("big", "wb") as file:
            for _ in range(4):
                file.write(bytes(1024**2))
    import signal
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    say({"made": made, "why": why, "memory": memory, "file": refused(fill),
         "files": refused(lambda: [open("f%d" % n, "w") for n in range(64)].clear())})
    """
    begun = time.monotonic()
    said, finished = in_sandbox(code, layers=layers, limits=limits)
    assert said is not None, finished.output
    assert said["made"] < 30 and said["why"] == "BlockingIOError"
    assert said["memory"] == "MemoryError" and said["file"] and said["files"]
    assert time.monotonic() - begun < 15, "what was left behind was waited for"


def test_what_does_not_end_is_ended(tmp_path: Path) -> None:
    _, finished = in_sandbox("while True: pass", limits=Limits(wall_seconds=1))
    assert finished.ended == "time" and finished.signal == signal.SIGKILL
    _, finished = in_sandbox("while True: pass", limits=Limits(wall_seconds=20, cpu_seconds=1))
    assert finished.signal in (signal.SIGXCPU, signal.SIGKILL)


def test_a_full_scratch_folder_ends_it() -> None:
    code = """
    import time
    for n in range(100):
        with open("f%d" % n, "wb") as file:
            file.write(bytes(1024**2))
        time.sleep(0.05)
    say("done")
    """
    said, finished = in_sandbox(code, limits=Limits(wall_seconds=20, scratch_bytes=8 * 1024**2))
    assert said is None and finished.ended == "disk"


def test_nothing_survives_the_end(tmp_path: Path) -> None:
    """A grandchild in a session of its own is gone when the run is over."""
    for layers in EVERY_RUNG:
        code = """
        import time
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                time.sleep(30)
            os._exit(0)
        os.wait()
        say(1)
        """
        begun = time.monotonic()
        said, _ = in_sandbox(code, layers=layers)
        assert said == 1 and time.monotonic() - begun < 10
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                command = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            assert b"os.setsid()\n" not in command


def test_an_interpreter_in_a_home_opens_no_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "home"
    (home / "bin").mkdir(parents=True)
    (home / "lib" / "python3.12").mkdir(parents=True)
    python = home / "bin" / "python"
    python.write_text("")
    monkeypatch.setenv("HOME", str(home))
    folders = sandbox.interpreter_folders(str(python))
    assert home not in folders and home.parent not in folders
    assert home / "lib" / "python3.12" in folders


def test_a_version_managers_shim_is_seen_through(tmp_path: Path) -> None:
    shim = tmp_path / "python3"
    shim.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    shim.chmod(0o755)
    assert sandbox.real_interpreter(str(shim)) == sys.executable
    assert isinstance(sandbox.probe(str(shim)), Rung)
    assert sandbox.real_interpreter(str(shim), tmp_path) == str(shim), "a workspace's own script is not run"


def test_another_system_has_no_sandbox_and_runs_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    sandbox.probe.cache_clear()
    try:
        found = sandbox.probe(sys.executable)
        assert isinstance(found, NoSandbox) and "macOS" in found.reason
        finished = sandbox.run(["/bin/true"], scratch=tmp_path, folder=tmp_path)
        assert finished.error and finished.exit is None
    finally:
        sandbox.probe.cache_clear()
