"""The system calls that sandboxed code may not make, as a seccomp filter in classic BPF.

Allowed unless listed: what the list takes away is the network, other processes, the kernel's administration and the
doors past Landlock (io_uring, file handles, new mounts). The numbers are those of the kernel's tables for x86-64
(arch/x86/entry/syscalls/syscall_64.tbl) and for the generic table that arm64 uses (include/uapi/asm-generic/unistd.h).
The launcher loads this file by its path: it knows the standard library alone.
"""

from __future__ import annotations

import errno
import struct

_ARCHITECTURES = {"x86_64": (0xC000003E, 0), "aarch64": (0xC00000B7, 1)}
"""AUDIT_ARCH_* and the column of the tables below."""

_ALWAYS: dict[str, tuple[int, int]] = {
    # The network. Pairs of connected stream sockets stay: event loops wake themselves with them.
    "socket": (41, 198),
    "connect": (42, 203),
    "bind": (49, 200),
    "listen": (50, 201),
    "accept": (43, 202),
    "accept4": (288, 242),
    # Other processes.
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "kcmp": (312, 272),
    "pidfd_open": (434, 434),
    "pidfd_getfd": (438, 438),
    "pidfd_send_signal": (424, 424),
    "migrate_pages": (256, 238),
    "move_pages": (279, 239),
    "perf_event_open": (298, 241),
    # Mounts and namespaces.
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "setns": (308, 268),
    "unshare": (272, 97),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    "open_tree_attr": (467, 467),
    # Doors past the checks on paths.
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    "userfaultfd": (323, 282),
    "memfd_secret": (447, 447),
    # The kernel and the machine.
    "keyctl": (250, 219),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "bpf": (321, 280),
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "reboot": (169, 142),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "syslog": (103, 116),
    "acct": (163, 89),
    "quotactl": (179, 60),
    "quotactl_fd": (443, 443),
    "settimeofday": (164, 170),
    "clock_settime": (227, 112),
    "adjtimex": (159, 171),
    "clock_adjtime": (305, 266),
    "sethostname": (170, 161),
    "setdomainname": (171, 162),
    "iopl": (172, -1),
    "ioperm": (173, -1),
    "modify_ldt": (154, -1),
    "vhangup": (153, 58),
    "personality": (135, 92),
    "lookup_dcookie": (212, 18),
    "mknod": (133, -1),
    "mknodat": (259, 33),
}
_UNAVAILABLE: dict[str, tuple[int, int]] = {"clone3": (435, 435), "openat2": (437, 437)}
"""Their arguments lie in memory, where a filter cannot look: "no such call", and libraries take the older one."""

_METADATA: dict[str, tuple[int, int]] = {
    # Landlock does not guard these; needed where the mounts are not read-only.
    "chmod": (90, -1),
    "fchmod": (91, 52),
    "fchmodat": (268, 53),
    "fchmodat2": (452, 452),
    "chown": (92, -1),
    "fchown": (93, 55),
    "lchown": (94, -1),
    "fchownat": (260, 54),
    "utime": (132, -1),
    "utimes": (235, -1),
    "futimesat": (261, -1),
    "utimensat": (280, 88),
    "setxattr": (188, 5),
    "lsetxattr": (189, 6),
    "fsetxattr": (190, 7),
    "removexattr": (197, 14),
    "lremovexattr": (198, 15),
    "fremovexattr": (199, 16),
    "setxattrat": (463, 463),
    "removexattrat": (466, 466),
}
_SIGNALS: dict[str, tuple[int, int]] = {
    "kill": (62, 129),
    "tkill": (200, 130),
    "tgkill": (234, 131),
    "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240),
}
_TRUNCATE: dict[str, tuple[int, int]] = {"truncate": (76, 45)}
_CLONE = (56, 220)
_SOCKETPAIR = (53, 199)
_IOCTL = (16, 29)
_OPENAT = (257, 56)
_OPEN = (2, -1)

_NEW_NAMESPACES = 0x7E020080
"""CLONE_NEWUSER, NEWPID, NEWNET, NEWNS, NEWUTS, NEWIPC, NEWCGROUP and NEWTIME."""
_TERMINAL_INPUT = (0x5412, 0x541C)
"""TIOCSTI and TIOCLINUX put words into the terminal's mouth."""
_O_ACCMODE, _O_TRUNC = 3, 0o1000

_LOAD, _JUMP_EQUAL, _JUMP_NOT_BELOW, _JUMP_SET, _AND, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x54, 0x06
_ALLOW, _KILL = 0x7FFF0000, 0x80000000
_NUMBER, _ARCHITECTURE = 0, 4


def _argument(index: int) -> int:
    """Offset of the low half of an argument (both architectures are little-endian)."""
    return 16 + 8 * index


def _refuse(number: int) -> int:
    return 0x00050000 | number


def program(machine: str, *, signals: bool, metadata: bool, truncation: bool) -> bytes:
    """The filter for a machine (`os.uname().machine`); b"" when there is none for it.

    signals: also refuse signals; metadata: also refuse changes of modes, owners, times and attributes; truncation:
    also refuse truncating by path. Each is needed where nothing else guards it.
    """
    if machine not in _ARCHITECTURES:
        return b""
    architecture, column = _ARCHITECTURES[machine]
    code: list[tuple[int, int, int, int]] = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_JUMP_EQUAL, 1, 0, architecture),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _NUMBER),
    ]
    if machine == "x86_64":  # the x32 calls: the same ones under other numbers
        code += [(_JUMP_NOT_BELOW, 0, 1, 0x40000000), (_RETURN, 0, 0, _refuse(errno.ENOSYS))]

    def refuse(calls: dict[str, tuple[int, int]], error: int) -> None:
        for numbers in calls.values():
            if numbers[column] >= 0:
                code.extend([(_JUMP_EQUAL, 0, 1, numbers[column]), (_RETURN, 0, 0, _refuse(error))])

    def when(call: tuple[int, int], body: list[tuple[int, int, int, int]]) -> None:
        """A block for one call; it must return."""
        if call[column] >= 0:
            code.append((_JUMP_EQUAL, 0, len(body), call[column]))
            code.extend(body)

    allow, refused = (_RETURN, 0, 0, _ALLOW), (_RETURN, 0, 0, _refuse(errno.EPERM))
    refuse(_ALWAYS, errno.EACCES)
    refuse(_UNAVAILABLE, errno.ENOSYS)
    if signals:
        refuse(_SIGNALS, errno.EPERM)
    if metadata:
        refuse(_METADATA, errno.EPERM)
    when(_CLONE, [(_LOAD, 0, 0, _argument(0)), (_JUMP_SET, 0, 1, _NEW_NAMESPACES), refused, allow])
    when(_SOCKETPAIR, [(_LOAD, 0, 0, _argument(1)), (_AND, 0, 0, 0xF), (_JUMP_EQUAL, 0, 1, 1), allow, refused])
    when(
        _IOCTL,
        [
            (_LOAD, 0, 0, _argument(1)),
            (_JUMP_EQUAL, 1, 0, _TERMINAL_INPUT[0]),
            (_JUMP_EQUAL, 0, 1, _TERMINAL_INPUT[1]),
            refused,
            allow,
        ],
    )
    if truncation:
        refuse(_TRUNCATE, errno.EPERM)
        for call, flags in ((_OPENAT, 2), (_OPEN, 1)):  # reading is allowed, and O_TRUNC with it would empty the file
            when(
                call,
                [
                    (_LOAD, 0, 0, _argument(flags)),
                    (_JUMP_SET, 0, 3, _O_TRUNC),
                    (_AND, 0, 0, _O_ACCMODE),
                    (_JUMP_EQUAL, 0, 1, 0),
                    refused,
                    allow,
                ],
            )
    code.append(allow)
    return b"".join(struct.pack("<HBBI", *instruction) for instruction in code)
