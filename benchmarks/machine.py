"""The machine a measurement was made on, and environments for other libraries."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parent.parent


def describe_machine() -> dict[str, Any]:
    """Return processor, cores, memory, system, and the load before the measurement: a busy machine measures nothing."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.is_file() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return {
        "cpu": models[0] if models else platform.processor() or platform.machine(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "system": f"{platform.system()} {platform.release()}",
        "libc": " ".join(platform.libc_ver()),
        "load_before": round(os.getloadavg()[0], 2),
    }


def environment_of(name: str, package: str, version: str, extra: str = "", pins: Sequence[str] = ()) -> str:
    """Return the Python of `.venv-<name>`, in which the package is installed on first use.

    Args:
        name: of the environment.
        package: to install.
        version: of the package, exactly.
        extra: of the package.
        pins: requirements beside it, where newer releases of what it depends on break it.

    Raises:
        subprocess.CalledProcessError: the environment cannot be made; pip has said why on stderr.
    """
    folder = REPOSITORY / f".venv-{name}"
    python = folder / "bin" / "python"
    installed = f"from importlib.metadata import version; raise SystemExit(version('{package}') != '{version}')"
    if python.is_file() and subprocess.run([python, "-c", installed], capture_output=True).returncode == 0:
        return str(python)
    print(
        f"installing {package} {version} into {folder.name} (minutes where PyTorch comes with it) ...", file=sys.stderr
    )
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    requirement = f"{package}[{extra}]=={version}" if extra else f"{package}=={version}"
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", requirement, *pins]
    subprocess.run(pip, check=True)
    return str(python)
