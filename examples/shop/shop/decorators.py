"""Cross-cutting behaviour."""

import functools
import time


def timed(function):
    """Keep the time that the last call of a function took in its attribute `seconds`."""

    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        begun = time.perf_counter()
        try:
            return function(*args, **kwargs)
        finally:
            wrapper.seconds = time.perf_counter() - begun

    wrapper.seconds = 0.0
    return wrapper
