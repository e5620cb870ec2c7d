"""How the threads of a process behave on a machine that does something else too.

PyTorch's operators split their work between OpenMP threads that meet at a barrier. GNU's runtime lets a thread that is
early spin there. If another program holds the core of the thread it waits for, all that time is lost, and a fit of the
toy shop next to several programs took 8 times as long (`benchmarks/busy.py`).
"""

from __future__ import annotations

import logging
import os

SET_BY_USERS = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")
"""Variables of GNU's and Intel's runtimes that say how a thread waits."""
BUSY = 1.25  # load per core; runs that share the cores by agreement stay below

log = logging.getLogger(__name__)


def sleep_at_barriers() -> None:
    """Let waiting threads sleep, unless the user has chosen a policy.

    The runtime reads this once, when PyTorch is imported: call it before. Child processes inherit it.
    """
    if not any(name in os.environ for name in SET_BY_USERS):
        os.environ["OMP_WAIT_POLICY"] = "PASSIVE"


def warn_if_busy() -> None:
    """Log a line if more threads want to run than the machine has cores; do nothing where the load is not known."""
    if not hasattr(os, "getloadavg") or not hasattr(os, "sched_getaffinity"):
        return
    load, cores = os.getloadavg()[0], len(os.sched_getaffinity(0))
    if load > BUSY * cores:
        log.warning("the machine is busy (load %.1f on %d cores): times will be longer than usual", load, cores)
