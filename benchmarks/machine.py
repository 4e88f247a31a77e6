"""Facts about this machine that the tables of the comparisons name."""

import os
import platform
import subprocess
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent


def first_line(command):
    """The first line that a command prints, or "unknown"."""
    try:
        out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        return out.splitlines()[0]
    except (OSError, IndexError, subprocess.CalledProcessError):
        return "unknown"


def machine():
    """Facts about this machine that the table names."""
    model = "unknown"
    flags = ""
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        for line in file:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
            elif line.startswith("flags"):
                flags = line
    widest = next((name for name in ("avx512f", "avx2", "avx", "sse2") if f" {name} " in flags + " "), "none")
    return {
        "processor": model,
        "cores": len(os.sched_getaffinity(0)),
        "vectors": widest,
        "system": platform.platform(),
        "python": platform.python_version(),
        "compiler": first_line(["c++", "--version"]),
        "flags": "-O3 -march=native -DNDEBUG",
        "load": os.getloadavg()[0],
        "commit": first_line(["git", "-C", str(REPOSITORY), "describe", "--always", "--dirty"]),
    }
