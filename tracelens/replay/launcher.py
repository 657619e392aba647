"""Runs one command with as little as it needs: its own folder, the interpreter's files, and no network.

A program of its own, started by our interpreter with `-I -S`, that knows the standard library and its neighbour
seccomp.py alone. It reads a JSON request on standard input and says what became of it in one JSON line on the
descriptor `report`. Two processes: the one that watches (time, disk, what is left over) and the one that gives up
its rights, layer by layer, and becomes the command:

    namespaces   network, mounts (all read-only but the scratch folder), processes, IPC, host name; through a user
                 namespace where we are not root. An extra: some systems refuse them.
    another user as root: user 65534 with nothing but the right to read, so that limits on processes count
    limits       CPU seconds, address space, file size, processes, descriptors, no core dumps
    Landlock     reading and writing by allow-list, no TCP, no signals or abstract sockets out (as the kernel can)
    seccomp      no sockets, no mounts, no tracing, … (seccomp.py)

Landlock and seccomp must both hold, or the command is not run.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import resource
import select
import signal
import struct
import sys
import time
from typing import Any, NoReturn

_libc = ctypes.CDLL(None, use_errno=True)

_PR_SET_PDEATHSIG, _PR_SET_KEEPCAPS, _PR_SET_SECCOMP, _PR_CAPBSET_DROP = 1, 8, 22, 24
_PR_SET_CHILD_SUBREAPER, _PR_SET_NO_NEW_PRIVS, _PR_CAP_AMBIENT = 36, 38, 47
_CLONE_NEWNS, _CLONE_NEWUTS, _CLONE_NEWIPC = 0x00020000, 0x04000000, 0x08000000
_CLONE_NEWUSER, _CLONE_NEWPID, _CLONE_NEWNET = 0x10000000, 0x20000000, 0x40000000
_MS_BIND, _MS_REC, _MS_PRIVATE = 4096, 16384, 1 << 18
_SYS_MOUNT_SETATTR, _AT_RECURSIVE, _MOUNT_ATTR_RDONLY = 442, 0x8000, 1
_SYS_LANDLOCK_CREATE, _SYS_LANDLOCK_ADD, _SYS_LANDLOCK_RESTRICT = 444, 445, 446
_CAP_DAC_OVERRIDE, _CAP_DAC_READ_SEARCH = 1, 2
_NOBODY = 65534

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1, 2, 4, 8
_REFER, _TRUNCATE, _IOCTL_DEV = 1 << 13, 1 << 14, 1 << 15
_ALL_RIGHTS = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 4: (1 << 15) - 1, 5: (1 << 16) - 1}
"""Rights on files that a version of Landlock knows; from 5 on nothing was added that matters here."""
_OF_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEV
_TCP = 3
_SCOPES = 3
"""Abstract unix sockets and signals."""


def main() -> int:
    request: dict[str, Any] = json.loads(sys.stdin.buffer.read())
    report = int(request["report"])
    os.set_inheritable(report, False)
    try:
        said = _watch(request)
    except OSError as error:
        said = {"error": f"{error.strerror or error}"}
    os.write(report, json.dumps(said).encode() + b"\n")
    return 0


def _call(name: str, *arguments: Any) -> int:
    """Call the C library; raises OSError that says which call failed."""
    result: int = getattr(_libc, name)(*arguments)
    if result == -1:
        code = ctypes.get_errno()
        raise OSError(code, f"{name}: {os.strerror(code)}")
    return result


def _prctl(option: int, *arguments: int) -> int:
    padded = (*arguments, 0, 0, 0, 0)[:4]
    return _call("prctl", ctypes.c_int(option), *(ctypes.c_ulong(one) for one in padded))


# The one that watches.


def _watch(request: dict[str, Any]) -> dict[str, Any]:
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    scratch: str = request["scratch"]
    limits: dict[str, float] = request["limits"]
    as_root = os.geteuid() == 0
    if as_root:
        _give(scratch, _NOBODY)
    done: list[str] = []
    if "namespaces" in request["layers"]:
        done += _namespaces(scratch, as_root)
    failed_read, failed_write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(failed_read)
        try:
            _become(request, done, as_root, failed_write)
        except BaseException as error:
            os.write(failed_write, (str(error) or type(error).__name__).encode()[:500])
        os._exit(127)
    os.close(failed_write)
    for descriptor in request["pass"]:  # or whoever reads them would wait for us
        os.close(descriptor)
    problem = b""
    while select.select([failed_read], [], [], 30)[0] and (chunk := os.read(failed_read, 512)):
        problem += chunk
    # The descriptor closes when the command begins, which is also when its time begins.
    ended, status = _wait(child, scratch, limits)
    _end_everything(child)
    if problem.startswith(b"layers "):
        done += problem[7:].split(b"\n")[0].decode().split(",")
        problem = problem.partition(b"\n")[2]
    if problem:
        return {"error": problem.decode(errors="replace")}
    said: dict[str, Any] = {"layers": done, "ended": ended}
    if os.WIFSIGNALED(status):
        said["signal"] = os.WTERMSIG(status)
    else:
        said["exit"] = os.WEXITSTATUS(status)
    return said


def _wait(child: int, scratch: str, limits: dict[str, float]) -> tuple[str, int]:
    """Wait for the command. Returns why it ended ("itself", "time", "disk") and its status."""
    deadline = time.monotonic() + limits["wall_seconds"]
    look = time.monotonic() + 0.5
    pause = 0.001
    while True:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            return "itself", status
        now = time.monotonic()
        why = "time" if now > deadline else ""
        if not why and now > look:
            look = now + 0.5
            why = "disk" if _size(scratch) > limits["scratch_bytes"] else ""
        if why:
            os.kill(child, signal.SIGKILL)
            return why, os.waitpid(child, 0)[1]
        time.sleep(pause)
        pause = min(pause * 1.5, 0.02)


def _end_everything(child: int) -> None:
    """Kill what the command left behind: its process group, and whoever became our child when its parent ended.

    In a process namespace nothing is left by now: its first process was the command.
    """
    for _ in range(200):
        try:
            os.killpg(child, signal.SIGKILL)
        except OSError:
            pass
        for pid in _children():
            try:
                os.kill(pid, signal.SIGKILL)
            except OSError:
                pass
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return
        time.sleep(0.005)


def _children() -> list[int]:
    found = []
    me = os.getpid()
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/stat", "rb") as file:
                    fields = file.read().rpartition(b")")[2].split()
            except OSError:
                continue
            if int(fields[1]) == me:
                found.append(int(entry))
    return found


def _size(folder: str) -> int:
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                total += max(os.lstat(os.path.join(place, name)).st_blocks * 512, 4096)
            except OSError:
                continue
    return total


def _give(folder: str, user: int) -> None:
    os.chown(folder, user, user)
    for place, folders, files in os.walk(folder):
        for name in folders + files:
            os.chown(os.path.join(place, name), user, user, follow_symlinks=False)


def _namespaces(scratch: str, as_root: bool) -> list[str]:
    """Leave the host's namespaces as far as this system lets us. What was done is returned; nothing here is needed."""
    wanted = _CLONE_NEWNS | _CLONE_NEWNET | _CLONE_NEWIPC | _CLONE_NEWUTS | _CLONE_NEWPID
    user, group = os.geteuid(), os.getegid()
    try:
        _call("unshare", ctypes.c_int(wanted if as_root else wanted | _CLONE_NEWUSER))
    except OSError:
        return []
    if not as_root:
        try:
            for name, content in (
                ("setgroups", "deny"),
                ("uid_map", f"{user} {user} 1"),
                ("gid_map", f"{group} {group} 1"),
            ):
                with open(f"/proc/self/{name}", "w") as file:
                    file.write(content)
        except OSError:
            return ["namespaces"]  # without a mapping we are nobody there, and may not mount
    try:
        _call("mount", None, b"/", None, ctypes.c_ulong(_MS_REC | _MS_PRIVATE), None)
        path = os.fsencode(scratch)
        _call("mount", path, path, None, ctypes.c_ulong(_MS_BIND), None)
        _mount_attributes(b"/", set_=_MOUNT_ATTR_RDONLY, clear=0, flags=_AT_RECURSIVE)
        _mount_attributes(path, set_=0, clear=_MOUNT_ATTR_RDONLY, flags=0)
    except OSError:
        return ["namespaces"]
    return ["namespaces", "read-only mounts"]


def _mount_attributes(path: bytes, set_: int, clear: int, flags: int) -> None:
    attributes = struct.pack("<QQQQ", set_, clear, 0, 0)
    _call(
        "syscall",
        ctypes.c_long(_SYS_MOUNT_SETATTR),
        ctypes.c_int(-100),
        path,
        ctypes.c_uint(flags),
        attributes,
        ctypes.c_size_t(len(attributes)),
    )


# The one that becomes the command.


def _become(request: dict[str, Any], done: list[str], as_root: bool, failed: int) -> NoReturn:
    os.setsid()
    layers: list[str] = request["layers"]
    kept = set(request["pass"]) | {failed}
    nothing = os.open("/dev/null", os.O_RDONLY)
    os.dup2(int(request["input"]) if request["input"] is not None else nothing, 0)
    os.dup2(int(request["output"]), 1)
    os.dup2(int(request["output"]), 2)
    _close_all_but(kept | {0, 1, 2})
    for descriptor in request["pass"]:
        os.set_inheritable(descriptor, True)
    version = _landlock_version()
    own = []
    _limits(request["limits"])
    if as_root:
        own.append("another user")
        _step_down()
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    os.chdir(request["folder"])
    alone = "namespaces" not in done and version < 6
    filter_ = _seccomp_program(alone, "read-only mounts" not in done, version < 3)
    if "landlock" in layers:
        _landlock(version, request["scratch"], request["readable"], request["usable"])
        own.append(f"Landlock {version}")
    if "seccomp" in layers:
        _seccomp(filter_)
        own.append("seccomp")
    os.write(failed, b"layers " + ",".join([*own, "limits"]).encode() + b"\n")
    os.execve(request["command"][0], request["command"], request["environment"])


def _close_all_but(kept: set[int]) -> None:
    last = -1
    for one in sorted(kept):
        if one > last + 1:
            os.closerange(last + 1, one)
        last = one
    os.closerange(last + 1, min(resource.getrlimit(resource.RLIMIT_NOFILE)[1], 1 << 20))


def _limits(limits: dict[str, float]) -> None:
    seconds = max(1, int(limits["cpu_seconds"]))
    processes = int(limits["processes"]) + _processes_of(_NOBODY if os.geteuid() == 0 else os.getuid())
    for which, low, high in (
        (resource.RLIMIT_CPU, seconds, seconds + 2),
        (resource.RLIMIT_AS, int(limits["memory_bytes"]), int(limits["memory_bytes"])),
        (resource.RLIMIT_FSIZE, int(limits["file_bytes"]), int(limits["file_bytes"])),
        (resource.RLIMIT_NOFILE, int(limits["files"]), int(limits["files"])),
        (resource.RLIMIT_NPROC, processes, processes),
        (resource.RLIMIT_CORE, 0, 0),
    ):
        most = resource.getrlimit(which)[1]
        if most != resource.RLIM_INFINITY:
            low, high = min(low, most), min(high, most)
        resource.setrlimit(which, (low, high))


def _processes_of(user: int) -> int:
    """Threads of a user that run already: the limit counts them too."""
    count = 0
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                if os.stat(f"/proc/{entry}").st_uid == user:
                    count += len(os.listdir(f"/proc/{entry}/task"))
            except OSError:
                continue
    return count


def _step_down() -> None:
    """From root to nobody, who may read what root may (Landlock says what that is) and nothing else."""
    kept = _CAP_DAC_READ_SEARCH if _has(_CAP_DAC_READ_SEARCH) else _CAP_DAC_OVERRIDE
    for capability in range(64):
        if capability != kept:
            try:
                _prctl(_PR_CAPBSET_DROP, capability)
            except OSError:  # there are no more, or we may not
                break
    _prctl(_PR_SET_KEEPCAPS, 1)
    os.setgroups([])
    os.setresgid(_NOBODY, _NOBODY, _NOBODY)
    os.setresuid(_NOBODY, _NOBODY, _NOBODY)
    header = struct.pack("<Ii", 0x20080522, 0)
    mask = (1 << kept) if _has(kept) else 0
    _call("capset", header, struct.pack("<IIIIII", mask, mask, mask, 0, 0, 0))
    if mask:
        _prctl(_PR_CAP_AMBIENT, 2, kept)


def _has(capability: int) -> bool:
    header = struct.pack("<Ii", 0x20080522, 0)
    data = ctypes.create_string_buffer(24)
    _call("capget", header, data)
    permitted: int = struct.unpack("<IIIIII", data.raw)[1]
    return bool(permitted >> capability & 1)


def _landlock_version() -> int:
    """0 when this kernel has no Landlock."""
    version: int = _libc.syscall(ctypes.c_long(_SYS_LANDLOCK_CREATE), None, ctypes.c_size_t(0), ctypes.c_uint(1))
    return max(version, 0)


def _landlock(version: int, scratch: str, readable: list[str], usable: list[str]) -> None:
    if version < 1:
        raise OSError(errno.ENOSYS, "this kernel has no Landlock (it needs Linux 5.13 or later, with lsm=landlock)")
    rights = _ALL_RIGHTS[min(version, 5)]
    attributes = struct.pack("<Q", rights)
    if version >= 4:
        attributes += struct.pack("<Q", _TCP)
    if version >= 6:
        attributes += struct.pack("<Q", _SCOPES)
    ruleset = _call(
        "syscall",
        ctypes.c_long(_SYS_LANDLOCK_CREATE),
        attributes,
        ctypes.c_size_t(len(attributes)),
        ctypes.c_uint(0),
    )
    for path in readable:
        _permit(ruleset, path, (_EXECUTE | _READ_FILE | _READ_DIR) & rights)
    for path in usable:
        _permit(ruleset, path, (_READ_FILE | _WRITE_FILE | _TRUNCATE) & rights)
    _permit(ruleset, scratch, rights)
    _call("syscall", ctypes.c_long(_SYS_LANDLOCK_RESTRICT), ctypes.c_int(ruleset), ctypes.c_uint(0))
    os.close(ruleset)


def _permit(ruleset: int, path: str, rights: int) -> None:
    try:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:  # not on this system
        return
    if not os.path.isdir(path):
        rights &= _OF_FILES
    rule = struct.pack("<Qi", rights, place)
    _call(
        "syscall",
        ctypes.c_long(_SYS_LANDLOCK_ADD),
        ctypes.c_int(ruleset),
        ctypes.c_int(1),
        rule,
        ctypes.c_uint(0),
    )
    os.close(place)


def _seccomp_program(signals: bool, metadata: bool, truncation: bool) -> bytes:
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    import seccomp  # type: ignore[import-not-found,unused-ignore]

    machine = os.uname().machine
    code: bytes = seccomp.program(machine, signals=signals, metadata=metadata, truncation=truncation)
    if not code:
        raise OSError(errno.ENOSYS, f"no seccomp filter for {machine}")
    return code


def _seccomp(code: bytes) -> None:
    instructions = ctypes.create_string_buffer(code, len(code))
    header = struct.pack("@HxxxxxxQ", len(code) // 8, ctypes.addressof(instructions))
    buffer = ctypes.create_string_buffer(header, len(header))
    _prctl(_PR_SET_SECCOMP, 2, ctypes.addressof(buffer))


if __name__ == "__main__":
    sys.exit(main())
