"""Ends processes with all that they started, so that nothing goes on for nobody."""

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress

POLL_SECONDS = 0.1


def end(leader: int, belongs: Callable[[int], int], seconds: float) -> None:
    """Asks every process of a group or session to end, and kills those that are left after so many seconds.

    ``belongs`` is os.getpgid or os.getsid, and ``leader`` what it answers for those processes.
    """
    for number, patience in ((signal.SIGTERM, seconds), (signal.SIGKILL, 1.0)):
        limit = time.monotonic() + patience
        asked: set[int] = set()
        while (left := _living(leader, belongs)) and time.monotonic() < limit:
            for pid in left - asked:
                with suppress(ProcessLookupError):
                    os.kill(pid, number)
            asked |= left
            time.sleep(POLL_SECONDS)


def _living(leader: int, belongs: Callable[[int], int]) -> set[int]:
    import psutil

    found = set()
    for pid in psutil.pids():
        with suppress(ProcessLookupError, psutil.Error):
            if belongs(pid) == leader and pid != os.getpid() and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
                found.add(pid)
    return found
