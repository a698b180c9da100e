"""Several processes, as on a cluster: together they train what one process trains alone.

Each test starts Python anew, for what a process belongs to is settled before it uses JAX.
"""

import os
import socket
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[1]
PROCESSES = 2
SECONDS = 240  # far more than it takes, also on a busy machine, so that a failure ends

TRAINING = textwrap.dedent(
    """
    import sys
    from functools import partial

    import jax

    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    output, count, index, address = sys.argv[1], *map(int, sys.argv[2:4]), sys.argv[4]
    if count > 1:
        jax.distributed.initialize(address, count, index)

    import jax.numpy as jnp
    import numpy as np
    import optax
    from flax import nnx
    from jax.experimental.multihost_utils import process_allgather
    from jax.sharding import AxisType, NamedSharding, PartitionSpec as P

    import jaxact

    sys.path.insert(0, "examples")
    from _dataset import split
    from _network import Network
    from _training import Ensemble, optimizer

    assert len(jax.devices()) == 2  # in one process or in two


    class Model(nnx.Module):
        def __init__(self, rngs):
            self.maxout = jaxact.nnx.Maxout(8, 16, num_pieces=2, rngs=rngs)
            self.prelu = jaxact.nnx.PReLU(16)
            self.gate = nnx.Linear(16, 2, rngs=rngs)

        def __call__(self, x):
            return self.gate(jaxact.gelu(self.prelu(self.maxout(x))))


    def one_network():
        "Its batch is spread over the devices: the gradient of every weight is a sum over all."
        mesh = jax.make_mesh((2,), ("batch",), axis_types=(AxisType.Auto,))
        random = np.random.default_rng(0)
        x = random.normal(size=(32, 8)).astype(np.float32)
        labels = (x[:, 0] > x[:, 1]).astype(np.int32)
        data = jax.device_put((x, labels), NamedSharding(mesh, P("batch")))
        graph, parameters = nnx.split(Model(nnx.Rngs(0)))
        parameters = jax.tree.map(np.asarray, nnx.as_pure(parameters))
        parameters = jax.device_put(parameters, NamedSharding(mesh, P()))
        descent = optax.sgd(0.1, momentum=0.9)

        def loss(parameters, x, y):
            logits = nnx.merge(graph, parameters)(x)
            return optax.softmax_cross_entropy_with_integer_labels(logits, y).mean()

        @jax.jit
        def step(parameters, state, x, y):
            gradient = jax.grad(loss)(parameters, x, y)
            updates, state = descent.update(gradient, state, parameters)
            return optax.apply_updates(parameters, updates), state

        state = descent.init(parameters)
        for _ in range(5):
            parameters, state = step(parameters, state, *data)
        return process_allgather(parameters, tiled=True)


    def many_networks():
        "The ensemble of the main example: one network on each device."
        x = np.random.default_rng(0).normal(size=(12, 5, 5))
        data = split("twelve images", x, np.arange(12) % 2)
        create = lambda rngs: Network(
            (5, 5, 1), 2, depth=1, activation="prelu", normalization="none", rngs=rngs
        )
        ensemble = Ensemble(create, partial(optimizer, clip_norm=None), data, [0.1], 2)
        losses = [epoch.loss for epoch in ensemble.train(2)]
        return losses, ensemble.learners


    leaves = jax.tree.leaves((one_network(), many_networks()))
    np.savez(output, *map(np.asarray, leaves))
    """
)


def start(output: Path, devices: int, *arguments: str) -> subprocess.Popen:
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "JAX_PLATFORMS": "cpu",
        "JAX_NUM_CPU_DEVICES": str(devices),
    }
    return subprocess.Popen(
        [sys.executable, "-c", TRAINING, str(output), *arguments],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def trained(folder: Path) -> list[dict[str, np.ndarray]]:
    """What one process with two devices trained, and each of two processes with one."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    outputs = [folder / f"{name}.npz" for name in ("alone", "first", "second")]
    started = [start(outputs[0], PROCESSES, "1", "0", address)]
    for index in range(PROCESSES):
        started.append(start(outputs[1 + index], 1, str(PROCESSES), str(index), address))
    try:
        for process in started:
            said, _ = process.communicate(timeout=SECONDS)
            assert process.returncode == 0, said
    finally:
        for process in started:
            process.kill()
            process.communicate()
    return [dict(np.load(output)) for output in outputs]


@pytest.mark.thorough
@pytest.mark.xdist_group("distributed")
def test_two_processes_train_the_same_weights_as_one(tmp_path):
    """Fails if a process trains on its own part only, or sees another order of networks."""
    alone, *together = trained(tmp_path)
    for one in together:
        assert one.keys() == alone.keys()
        for name, weights in alone.items():
            np.testing.assert_allclose(one[name], weights, rtol=1e-5, atol=1e-6)
