"""How much work something is, counted: the same on every machine, however busy."""

import gc
from collections.abc import Callable
from cProfile import Profile


def calls(work: Callable[[], object]) -> int:
    """How many functions `work` calls, those written in C too. It is run once.

    What takes time without calling anything is not counted: for that there is the limit of a
    minute that every test has.
    """
    # The finalizers of what earlier tests left would be counted, too.
    gc.collect()
    gc.disable()
    profile = Profile()
    try:
        profile.runcall(work)
    finally:
        gc.enable()
    return sum(entry.callcount for entry in profile.getstats())
