"""Arguments as plain data, exact enough to make the call again, and how to rebuild them.

Encoding runs in the user's program, at the entry of a call, and runs none of its code: what a value is comes from
`type(v)`, containers are read through their built-in base class, instances through the descriptors of their
`__dict__` and slots. What is not known exactly makes the whole call not replayable; nothing is approximated, except
secrets, which are replaced by `[redacted]` and counted, so that a verdict can say so.

Decoding runs only inside the sandbox. It imports nothing but modules whose file lies under the allowed folders, which
is checked before the import, and never calls a class: instances are made bare and get their fields back.

The encoding is JSON: `null`, `true`, numbers and text stand for themselves; everything else is a list that starts
with its kind. Containers and instances are numbered in the order in which they begin; `["ref", n]` is the n-th one
again, so that aliases and cycles survive.

    ["int", "0x…"] ["float", "nan"] ["complex", re, im] ["text", base64] ["bytes", base64] ["bytearray", base64]
    ["list", items] ["tuple", items] ["set", items] ["frozenset", items] ["dict", [[key, value], …]]
    ["ordered", pairs] ["counter", pairs] ["default", factory, pairs] ["deque", maxlen, items]
    ["decimal", text] ["fraction", n, d] ["uuid", hex] ["path", text] ["purepath", text] ["range", a, b, step]
    ["slice", a, b, step] ["date", …] ["time", …] ["datetime", …] ["timedelta", days, seconds, microseconds]
    ["zone", days, seconds, microseconds, name] ["zoneinfo", name]
    ["type", name] ["global", class] ["member", class, name] ["flag", class, value]
    ["object", class, base, content, [[field, value], …]]
    ["opaque", class name]      not recorded; something stands for it that ends the call when it is used (opaque.py)

A `class` is a number into `classes`: [module, qualified name, file relative to its root].
"""

from __future__ import annotations

from tracelens_recorder.replayable.decoding import decode_arguments
from tracelens_recorder.replayable.encoding import encode_arguments, encode_exactly, encode_measured
from tracelens_recorder.replayable.importing import import_file
from tracelens_recorder.replayable.limits import MAX_BYTES, MAX_NODES, VERSION, NotRebuildable, NotReplayable
from tracelens_recorder.replayable.opaque import OpaqueUsed

__all__ = [
    "MAX_BYTES",
    "MAX_NODES",
    "VERSION",
    "NotRebuildable",
    "NotReplayable",
    "OpaqueUsed",
    "decode_arguments",
    "encode_arguments",
    "encode_exactly",
    "encode_measured",
    "import_file",
]
