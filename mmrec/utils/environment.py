"""The environment of a run, for its result: machine, memory, commit of the code."""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
import sys
from functools import cache
from pathlib import Path

import torch

import mmrec

PACKAGE = Path(mmrec.__file__).parent


def machine() -> dict[str, object]:
    """Return the processor or GPU, the numbers of cores and threads, and the versions that affect the numbers."""
    return {
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "mmrec": mmrec.__version__,
    }


def processor() -> str:
    """Return the name of the processor."""
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def peak_memory_mb() -> dict[str, int]:
    """Return the peak resident memory of this process and, with a GPU, the peak allocated on it, in MiB.

    Empty on Windows, which mmrec does not support but can be imported on.
    """
    status = Path("/proc/self/status")
    if status.is_file():  # Linux, where ru_maxrss would start from the peak of the process that launched this one
        lines = (line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        host = int(next(lines).split()[1]) // 2**10
    elif sys.platform == "win32":
        return {}
    else:
        import resource  # Windows lacks this module

        # In bytes on macOS, in KiB elsewhere.
        host = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // (2**20 if sys.platform == "darwin" else 2**10)
    peak = {"host": host}
    if torch.cuda.is_available():
        peak["device"] = torch.cuda.max_memory_allocated() // 2**20
    return peak


def git_state() -> dict[str, object] | None:
    """Return the commit of the code and whether there are uncommitted changes; None outside a checkout."""
    try:
        return {"commit": _git("rev-parse", "HEAD"), "dirty": bool(_git("status", "--porcelain"))}
    except (OSError, subprocess.CalledProcessError):
        return None


@cache
def code_version() -> str:
    """Return the version of the package's code.

    In a checkout this is the last commit that changed the package, so that a commit of docs or results leaves it as it
    is, and with uncommitted changes of the package "<commit>+<hash of the changes>". Elsewhere it is the version of the
    installed package.
    """
    try:
        commit = _git("log", "-1", "--format=%H", "--", PACKAGE.name)
        changes = _git("diff", "HEAD", "--", PACKAGE.name)
        new = _git("ls-files", "--others", "--exclude-standard", "--", PACKAGE.name).splitlines()
    except (OSError, subprocess.CalledProcessError):
        commit = ""
    if not commit:  # also for an installation within an unrelated checkout
        return str(mmrec.__version__)
    content = [changes.encode(), *((PACKAGE.parent / name).read_bytes() for name in new)]
    return commit + (f"+{hashlib.sha256(b''.join(content)).hexdigest()[:12]}" if any(content) else "")


def _git(*args: str) -> str:
    command = ["git", "-C", str(PACKAGE.parent), *args]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
