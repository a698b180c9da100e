"""What programs are compiled for: a device, which need not be there, nor its driver.

The compilers for devices that are not there come with `pip install 'jaxact[aot]'`, and for those of
Nvidia with jax-cuda13-plugin besides, in the version of jax (0.10.2 for 0.10.2).
"""

import importlib.util
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jax
from jax.experimental import topologies

H200 = """
gpu_device_info {
  threads_per_block_limit: 1024
  threads_per_warp: 32
  shared_memory_per_block: 49152
  shared_memory_per_core: 233472
  shared_memory_per_block_optin: 232448
  threads_per_core_limit: 2048
  core_count: 132
  fpus_per_core: 128
  block_dim_limit_x: 2147483647
  block_dim_limit_y: 65535
  block_dim_limit_z: 65535
  memory_bandwidth: 4800000000000
  l2_cache_size: 52428800
  clock_rate_ghz: 1.98
  device_memory_size: 151397597184
  cuda_compute_capability { major: 9 }
  registers_per_core_limit: 65536
  registers_per_block_limit: 65536
}
platform_name: "CUDA"
dnn_version_info { major: 9 minor: 10 }
device_description_str: "NVIDIA H200"
"""


class MissingCompiler(Exception):
    """A target whose compiler is not installed."""


@dataclass(frozen=True)
class Target:
    """A device, and networks of a size that is typical of it.

    Attributes:
        device: makes the device.
        batch: rows of an activation array.
        features: its columns.
        layers: of each network.
        dtype: of all arrays.
        options: makes what the compiler is told.
        networks: those of `networks.COMPANY` that are measured, if it takes too long for all.
    """

    device: Callable[[], Any]
    batch: int
    features: int
    layers: int
    dtype: str
    options: Callable[[], Mapping[str, Any]] = field(default=dict)
    networks: tuple[str, ...] = ()


def _h200() -> Any:
    # the plugin would ask for cuDNN and a driver, which a compiler does not need
    os.environ.setdefault("JAX_SKIP_CUDA_CONSTRAINTS_CHECK", "1")
    try:
        described = topologies.get_topology_desc(
            platform="cuda", topology_name="h200", topology="1x1x1", target_config=H200
        )
    except Exception as error:  # of many kinds: no plugin, or one that fits another jax
        raise MissingCompiler(_missing("h200", error)) from error
    return described.devices[0]


def _h200_options() -> Mapping[str, Any]:
    """No tuning by trial, for which a GPU would be needed; ptxas from its wheel."""
    found = importlib.util.find_spec("nvidia")
    folders = found.submodule_search_locations if found else None
    toolkit = {"xla_gpu_cuda_data_dir": str(Path(next(iter(folders))) / "cu13")} if folders else {}
    return {"xla_gpu_autotune_level": 0, **toolkit}


def _v5e() -> Any:
    # libtpu would ask the cloud's metadata server where it runs
    os.environ.setdefault("TPU_SKIP_MDS_QUERY", "1")
    os.environ.setdefault("TPU_WORKER_HOSTNAMES", "localhost")
    os.environ.setdefault("TPU_ACCELERATOR_TYPE", "v5litepod-4")
    try:
        described = topologies.get_topology_desc(platform="tpu", topology_name="v5e:2x2")
    except Exception as error:
        raise MissingCompiler(_missing("v5e", error)) from error
    return described.devices[0]


def _missing(name: str, error: Exception) -> str:
    return (
        f"no compiler for {name} ({str(error).strip().splitlines()[0]}): "
        "benchmarks/targets.py says what to install"
    )


OF_TPU = ("dense", "dense + layer norm", "convolution + batch norm + pool", "scanned pre-norm MLP")
TARGETS: dict[str, Target] = {
    "cpu": Target(lambda: jax.devices("cpu")[0], 2048, 512, 12, "float32"),
    "h200": Target(_h200, 8192, 1024, 12, "bfloat16", _h200_options),
    "v5e": Target(_v5e, 65536, 1024, 6, "bfloat16", networks=OF_TPU),  # a minute a program
}
