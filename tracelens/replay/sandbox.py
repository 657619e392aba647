"""Where code that a model or a template wrote may run: the rung that holds on this machine, or why none does.

A rung counts only after a child inside it has tried to write, read, connect, send and signal past it, and was refused
each time (`probe`). Where there is none, nothing is run.
"""

from __future__ import annotations

import json
import os
import select
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

LAYERS = ("namespaces", "landlock", "seccomp")
"""Outermost first. "namespaces" is an extra where the system allows them; the other two must hold."""

_SYSTEM = (
    *("/usr", "/bin", "/lib", "/lib32", "/lib64", "/nix/store", "/etc/ld.so.cache", "/etc/ld.so.conf"),
    *("/etc/ld.so.conf.d", "/etc/localtime", "/etc/timezone", "/etc/mime.types", "/dev/urandom", "/dev/random"),
)
_USABLE = ("/dev/null", "/dev/zero", "/dev/full")
_LAUNCHER = Path(__file__).with_name("launcher.py")
_MOST_OUTPUT = 64 * 1024
_MOST_ANSWER = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """What one run in the sandbox may use."""

    wall_seconds: float = 30.0
    cpu_seconds: float = 30.0
    memory_bytes: int = 2 * 1024**3
    """Address space of one process."""
    file_bytes: int = 64 * 1024**2
    """Of one file."""
    scratch_bytes: int = 256 * 1024**2
    """Of all files together, the copy of the workspace included."""
    processes: int = 64
    """Threads count too."""
    files: int = 256


@dataclass(frozen=True, slots=True)
class Rung:
    """A sandbox that was tried out and held."""

    name: str
    """"namespaces + Landlock + seccomp"."""
    layers: tuple[str, ...]
    """What the launcher really did: "read-only mounts", "Landlock 7", …"""
    asked: tuple[str, ...]
    """Of `LAYERS`, those that are asked for each time."""


@dataclass(frozen=True, slots=True)
class NoSandbox:
    """Why nothing can be run here, as the end of a sentence."""

    reason: str


@dataclass(frozen=True, slots=True)
class Finished:
    """How a command ended."""

    exit: int | None
    """Its exit status; None when a signal ended it or it never began."""
    signal: int | None
    ended: str
    """"itself", "time" or "disk": which limit the watcher enforced; "" when it never began."""
    error: str
    """Why it never began."""
    layers: tuple[str, ...]
    answer: bytes
    """What it wrote to the descriptor that it was given."""
    output: str
    """Standard output and error, shortened from the front."""


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """A new empty folder that the sandbox may write to. Removed afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="tracelens-")).resolve()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def run(
    command: Sequence[str],
    *,
    scratch: Path,
    folder: Path,
    readable: Sequence[Path] = (),
    request: bytes = b"",
    limits: Limits | None = None,
    layers: Sequence[str] = LAYERS,
    environment: dict[str, str] | None = None,
    talk: Callable[[bytes], bytes | None] | None = None,
) -> Finished:
    """Run a command in the sandbox, in `folder`, able to write to `scratch` alone.

    `request` is its standard input. With `talk`, each line that it answers is given to `talk`, and what that returns
    is written to its standard input, which ends when it returns None; `answer` is then empty. In the command,
    `{answer}` stands for the number of a descriptor to which it may write an answer. Nothing of our own environment is
    passed on. Never raises for what the command does.
    """
    if not sys.platform.startswith("linux"):
        return Finished(None, None, "", f"no sandbox for {sys.platform}", (), b"", "")
    limits = limits or Limits()
    answer_read, answer_write = os.pipe()
    report_read, report_write = os.pipe()
    input_read = input_write = -1
    try:
        with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as output:
            if talk is None:
                given.write(request)
                given.seek(0)
            else:
                input_read, input_write = os.pipe()
            order = {
                "command": [one.replace("{answer}", str(answer_write)) for one in command],
                "environment": clean_environment(scratch) | (environment or {}),
                "scratch": str(scratch),
                "folder": str(folder),
                "readable": [*_SYSTEM, *(str(one) for one in readable)],
                "usable": list(_USABLE),
                "limits": asdict(limits),
                "layers": list(layers),
                "report": report_write,
                "pass": [answer_write],
                "input": given.fileno() if talk is None else input_read,
                "output": output.fileno(),
            }
            process = subprocess.Popen(
                [sys.executable, "-I", "-S", "-B", str(_LAUNCHER)],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                env={"PATH": os.defpath, "LANG": "C.UTF-8"},
                pass_fds=[answer_write, report_write, given.fileno() if talk is None else input_read, output.fileno()],
                start_new_session=True,
            )
            os.close(answer_write)
            os.close(report_write)
            answer_write = report_write = -1
            conversation = None
            if talk is not None:
                os.close(input_read)
                input_read = -1
                conversation = _Conversation(input_write, talk)
                input_write = -1
            assert process.stdin is not None
            try:
                process.stdin.write(json.dumps(order).encode())
                process.stdin.close()
            except BrokenPipeError:
                pass
            try:
                if conversation is not None:
                    conversation.say(request)
                heard = conversation.hear if conversation is not None else None
                answer, report = _collect(answer_read, report_read, limits.wall_seconds + 40, heard)
            finally:
                if conversation is not None:
                    conversation.end()
                process.kill()
                process.wait()
            output.seek(max(0, output.seek(0, os.SEEK_END) - _MOST_OUTPUT))
            printed = output.read().decode(errors="replace")
    finally:
        for descriptor in (answer_read, report_read, answer_write, report_write, input_read, input_write):
            if descriptor >= 0:
                os.close(descriptor)
    return _finished(report, answer, printed)


class _Conversation:
    """Requests to what runs inside, made as its answers come in."""

    def __init__(self, descriptor: int, talk: Callable[[bytes], bytes | None]) -> None:
        self.descriptor = descriptor
        self.talk = talk
        self.begun = bytearray()

    def say(self, what: bytes) -> None:
        try:
            while what and self.descriptor >= 0:
                what = what[os.write(self.descriptor, what) :]
        except OSError:  # nobody listens any more; its report says why
            self.end()

    def hear(self, chunk: bytes) -> None:
        self.begun += chunk
        if len(self.begun) > _MOST_ANSWER:
            self.end()
        while b"\n" in self.begun and self.descriptor >= 0:
            line, _, rest = bytes(self.begun).partition(b"\n")
            self.begun = bytearray(rest)
            said = self.talk(line)
            if said is None:
                self.end()
            else:
                self.say(said)

    def end(self) -> None:
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1


def _collect(
    answer: int, report: int, seconds: float, heard: Callable[[bytes], None] | None = None
) -> tuple[bytes, bytes]:
    """Read both pipes until the launcher has reported. `heard` gets the answer as it comes, in place of keeping it."""
    deadline = time.monotonic() + seconds
    read: dict[int, bytearray] = {answer: bytearray(), report: bytearray()}
    waiting = {answer, report}
    while waiting:
        # Something that outlives the command may hold the answer's descriptor open: the report is what counts.
        left = deadline - time.monotonic() if report in waiting else 0.2
        ready = select.select(list(waiting), [], [], max(left, 0))[0]
        if not ready:
            break
        for descriptor in ready:
            chunk = os.read(descriptor, 1 << 16)
            if not chunk:
                waiting.discard(descriptor)
            elif descriptor == answer and heard is not None:
                heard(chunk)
            elif len(read[descriptor]) < _MOST_ANSWER:
                read[descriptor] += chunk
    return bytes(read[answer]), bytes(read[report])


def _finished(report: bytes, answer: bytes, output: str) -> Finished:
    try:
        said: dict[str, Any] = json.loads(report)
    except ValueError:
        last = output.strip().splitlines()[-1:] or ["it said nothing"]
        return Finished(None, None, "", f"the launcher ended without a report: {last[0]}", (), b"", output)
    if "error" in said:
        return Finished(None, None, "", str(said["error"]), (), b"", output)
    return Finished(said.get("exit"), said.get("signal"), said["ended"], "", tuple(said["layers"]), answer, output)


def clean_environment(scratch: Path) -> dict[str, str]:
    """All that sandboxed code sees of an environment."""
    return {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "HOME": str(scratch),
        "TMPDIR": str(scratch),
        "PYTHONHASHSEED": "0",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONIOENCODING": "utf-8",
        # Numeric libraries start a thread per core, each with its own reserve of address space.
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
    }


@lru_cache(maxsize=16)
def real_interpreter(python: str, folder: Path | None = None) -> str:
    """The interpreter behind a version manager's shim, which is a script; any other name is itself.

    A shim is asked, in `folder`, which one it stands for. One that lies in that folder is not: a workspace does not
    get to run a script of its own outside the sandbox.
    """
    try:
        with Path(python).open("rb") as file:
            is_script = file.read(2) == b"#!"
    except OSError:
        return python
    if not is_script or (folder is not None and Path(python).resolve().is_relative_to(folder.resolve())):
        return python
    try:
        asked = subprocess.run(
            [python, "-I", "-S", "-c", "import sys; print(sys.executable)"],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=20,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return python
    return asked.stdout.strip() or python


def interpreter_folders(python: str) -> list[Path]:
    """What an interpreter needs to be able to read: its own prefix and that of the one it was made from.

    Found without running it. A prefix that holds other things than a Python (a home, `~/.local` with its links to
    interpreters elsewhere) is never opened: then it is the interpreter's file and its library alone.
    """
    here = Path(os.path.abspath(python))  # noqa: PTH100 -- resolve() would lose the virtual environment
    executables = [here, here.resolve()]
    configuration = here.parent.parent / "pyvenv.cfg"
    try:
        for line in configuration.read_text(encoding="utf-8", errors="replace").splitlines():
            key, _, value = line.partition("=")
            if key.strip() == "home" and value.strip():
                base = Path(value.strip()) / here.name
                executables += [base, base.resolve()]
    except OSError:
        pass
    found: list[Path] = []
    for executable in executables:
        prefix = executable.parent.parent
        opened = [prefix]
        is_python = (prefix / "pyvenv.cfg").exists() or any(prefix.glob("lib*/python3*/os.py"))
        if not is_python or _is_private(prefix):
            opened = [executable, *prefix.glob("lib/python3*"), *prefix.glob("lib/libpython3*")]
        found += [one for one in opened if one not in found]
    return found


def _is_private(folder: Path) -> bool:
    """Whether opening a folder would open a home."""
    import pwd

    homes = {Path.home(), *(Path(one.pw_dir) for one in pwd.getpwall() if one.pw_uid == 0 or one.pw_uid >= 1000)}
    real = folder.resolve()
    return any(real == home or real in home.parents for home in (one.resolve() for one in homes if one != Path("/")))


_PROBE = r"""
import json, os, socket, sys
answer, order = int(sys.argv[1]), json.loads(sys.stdin.read())
held = {}

def attempt(name, function):
    try:
        function()
        held[name] = False
    except OSError:
        held[name] = True

def write(path, mode):
    with open(path, mode) as file:
        file.write("x")

def connect():
    with socket.socket() as s:
        s.settimeout(1)
        s.connect(("127.0.0.1", order["tcp"]))

def send():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.sendto(b"x", ("127.0.0.1", order["udp"]))

def local():
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(order["unix"])

attempt("write a new file outside", lambda: write(order["outside"] + "/new", "w"))
attempt("change a file outside", lambda: write(order["outside"] + "/secret", "a"))
attempt("empty a file outside", lambda: os.truncate(order["outside"] + "/secret", 0))
attempt("empty a file outside by opening it", lambda: os.open(order["outside"] + "/secret", os.O_RDONLY | os.O_TRUNC))
attempt("change the mode of a file outside", lambda: os.chmod(order["outside"] + "/secret", 0o600))
attempt("remove a file outside", lambda: os.unlink(order["outside"] + "/spare"))
attempt("read a file outside", lambda: open(order["outside"] + "/secret").close())
attempt("read another process's environment", lambda: open("/proc/%d/environ" % order["pid"]).close())
attempt("open a TCP connection", connect)
attempt("send a UDP datagram", send)
attempt("connect to a unix socket", local)
attempt("signal another process", lambda: os.kill(order["pid"], 0))
held["see the environment"] = order["canary"] not in os.environ
write("inside", "w")
write("/dev/null", "w")
os.write(answer, json.dumps(held).encode())
"""


@lru_cache(maxsize=16)
def probe(python: str, layers: tuple[str, ...] = LAYERS) -> Rung | NoSandbox:
    """Try the sandbox out with the interpreter that is to run in it; remembered for the life of this process.

    `layers`: which of `LAYERS` to use; leaving one out shows what happens where a system lacks it.
    """
    if not sys.platform.startswith("linux"):
        names = {"darwin": "macOS", "win32": "Windows"}
        return NoSandbox(f"there is no sandbox for {names.get(sys.platform, sys.platform)} yet")
    python = real_interpreter(python)
    # The folder outside is open to everybody: it must be the sandbox that refuses, not a mode.
    with scratch_folder() as outside, scratch_folder() as scratch, _Listeners(outside) as listeners:
        outside.chmod(0o777)
        for name in ("secret", "spare"):
            (outside / name).write_text("secret\n")
            (outside / name).chmod(0o666)
        canary = "TRACELENS_CANARY"
        os.environ[canary] = "seen"
        try:
            finished = run(
                [python, "-I", "-S", "-c", _PROBE, "{answer}"],
                scratch=scratch,
                folder=scratch,
                readable=interpreter_folders(python),
                request=json.dumps(
                    {
                        "outside": str(outside),
                        "tcp": listeners.tcp.getsockname()[1],
                        "udp": listeners.udp.getsockname()[1],
                        "unix": str(listeners.path),
                        "pid": os.getpid(),
                        "canary": canary,
                    }
                ).encode(),
                limits=Limits(wall_seconds=20, cpu_seconds=10),
                layers=layers,
            )
        finally:
            del os.environ[canary]
        intact = (outside / "secret").exists() and (outside / "secret").read_text() == "secret\n"
        arrived = listeners.arrived()
    if finished.error:
        return NoSandbox(finished.error)
    try:
        held: dict[str, bool] = json.loads(finished.answer)
    except ValueError:
        last = finished.output.strip().splitlines()[-1:] or [f"it ended by {finished.ended}, {finished.signal}"]
        return NoSandbox(f"{python} does not run inside it: {last[0]}")
    if not intact or arrived:
        held["keep what is outside as it was"] = False
    open_doors = [name for name, refused in held.items() if not refused]
    if open_doors:
        return NoSandbox(f"code inside it could {', '.join(open_doors)}")
    kernel = "namespaces + " if "namespaces" in finished.layers else ""
    return Rung(f"{kernel}Landlock + seccomp", finished.layers, layers)


class _Listeners:
    """Ears on the loopback interface and on a unix socket, to hear whether anything comes out."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "ear"
        self.tcp = socket.socket()
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.unix = socket.socket(socket.AF_UNIX)

    def __enter__(self) -> _Listeners:
        self.tcp.bind(("127.0.0.1", 0))
        self.tcp.listen()
        self.udp.bind(("127.0.0.1", 0))
        self.unix.bind(str(self.path))
        self.path.chmod(0o777)
        self.unix.listen()
        return self

    def arrived(self) -> bool:
        return bool(select.select([self.tcp, self.udp, self.unix], [], [], 0)[0])

    def __exit__(self, *_: object) -> None:
        for one in (self.tcp, self.udp, self.unix):
            one.close()
