"""Where and with what a measurement was made."""

import datetime
import importlib.metadata
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

from . import machine

PACKAGES = ("jax", "jaxlib", "numpy", "flax", "torch", "keras", "equinox")


def describe(device: Any) -> dict[str, Any]:
    """Without these a measurement means nothing: date, commit, machine, versions, flags."""
    return {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "commit": _commit(),
        "device": {"platform": device.platform, "kind": device.device_kind},
        "machine": {
            "system": f"{platform.system()} {platform.machine()}",
            "processor": _processor(),
            "cores": os.cpu_count(),
            "caches": dict(machine.caches()),
        },
        "versions": {"python": platform.python_version(), **_versions()},
        "flags": {
            name: value for name, value in os.environ.items() if name.startswith(("JAX", "XLA_"))
        },
    }


def headline(environment: dict[str, Any]) -> str:
    """The facts in one line."""
    device, machine, versions = (environment[k] for k in ("device", "machine", "versions"))
    return (
        f"{device['kind']} ({machine['processor']}, {machine['cores']} cores), "
        f"jax {versions['jax']}, commit {environment['commit']}, {environment['date']}"
    )


def _commit() -> str | None:
    """The commit of the checkout, marked where files differ from it; None without git."""
    command = ["git", "describe", "--always", "--abbrev=12", "--dirty", "--exclude=*"]
    try:
        done = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True)
    except OSError:
        return None
    return done.stdout.strip() or None


def _processor() -> str:
    if sys.platform == "linux":
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor()


def _versions() -> dict[str, str]:
    found = {d.metadata["Name"]: d.version for d in importlib.metadata.distributions()}
    return {name: found[name] for name in PACKAGES if name in found}
