"""Errors of the recorder's own, told apart from those of the program: neither may do harm to the other."""

from __future__ import annotations

import os

_PACKAGE = os.path.dirname(os.path.abspath(__file__)) + os.sep
_LIBRARY = os.path.dirname(os.path.abspath(os.__file__)) + os.sep


def is_ours(problem: BaseException) -> bool:
    traceback = problem.__traceback__
    while traceback is not None:
        name = traceback.tb_frame.f_code.co_filename
        if not name.startswith((_PACKAGE, _LIBRARY, "<frozen")):
            return "site-packages" in name
        traceback = traceback.tb_next
    return True


def place_of(problem: BaseException) -> str:
    traceback = problem.__traceback__
    place = "?"
    while traceback is not None:
        place = f"{os.path.basename(traceback.tb_frame.f_code.co_filename)}:{traceback.tb_lineno}"
        traceback = traceback.tb_next
    return place
