"""What all tests share: signals as a terminal has them, and a recorder that a busy machine does not make stingy."""

from __future__ import annotations

import os
import signal
import threading

from hypothesis import settings

if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # Started in the background of a script, Ctrl-C would mean nothing to the programs that tests start and interrupt.
    signal.signal(signal.SIGINT, signal.default_int_handler)

os.environ.setdefault("TRACELENS_BUDGET", "50%")

# How long one example takes says how busy the machine is, and nothing of the code.
settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")
