"""What is run when, and how: `run_of` says which tests every change is tested on.

Every test runs on eight virtual devices, and under JAX's strictest rules of promotion.

All tests of one activation run in one process, which so compiles its kernels once; after some
activations it forgets what it compiled, for all of it together would fill the memory.
"""

import functools
import importlib
import itertools

import jax
import pytest
from cases import USUAL, Case, coverage_set, variants

import jaxact

jax.config.update("jax_num_cpu_devices", 8)
jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")


def pytest_addoption(parser):
    help = "a module that declares activations, which the laws then judge too"
    parser.addoption("--declare", metavar="MODULE", help=help)
    help = "judge the activations only that all laws judge on every change"
    parser.addoption("--few", action="store_true", help=help)


def pytest_configure(config):
    if config.option.declare:
        importlib.import_module(config.option.declare)


@pytest.fixture
def standard_promotion():
    """The usual rules of promotion: some layers of Flax and optimizers of optax need them."""
    with jax.numpy_dtype_promotion("standard"):
        yield


ACTIVATIONS_REMEMBERED = 16
_finished = itertools.count(1)


def activation_of(item) -> str | None:
    """The name of the activation that a test judges, if it is one of the laws."""
    parameters = item.callspec.params if hasattr(item, "callspec") else {}
    subject = parameters.get("case") or parameters.get("entry")
    return getattr(subject, "entry", subject).name if subject else None


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist reads the groups, and pytest deselects
def pytest_collection_modifyitems(config, items):
    chosen, others = coverage_set(), not config.option.few
    usual = set(map(repr, variants()))
    for item in items:
        name = activation_of(item)
        if name and not item.get_closest_marker("xdist_group"):
            item.add_marker(pytest.mark.xdist_group(name))
        if run := run_of(item, chosen, usual, others):
            item.add_marker(run)


def run_of(item, chosen: set[str], usual: set[str], others: bool) -> str | None:
    """The run that a test belongs to: "special", "thorough", or None, which is every change.

    Args:
        item: the test.
        chosen: one activation of each kind: all laws judge it, in all formats.
        usual: the cases whose parameters do more than vary the numbers of another's.
        others: whether other activations are judged, by laws that are not of the machinery.
    """
    for run in ("special", "thorough"):  # where a test says so itself
        if item.get_closest_marker(run):
            return run
    name = activation_of(item)
    if name is None or name in declared_elsewhere():
        return None
    parameters = item.callspec.params
    case, dtype = parameters.get("case"), parameters.get("dtype", USUAL[0])
    if isinstance(case, Case) and repr(case) not in usual:
        return "thorough"
    if name in chosen:
        return None
    is_usual = others and dtype in USUAL and not item.get_closest_marker("machinery")
    return None if is_usual else "thorough"


@functools.cache
def declared_elsewhere() -> set[str]:
    """Activations of the module given with `--declare`: all laws judge them."""
    everything = jaxact.CATALOG.items()
    return {name for name, e in everything if not e.function.__module__.startswith("jaxact.")}


def pytest_runtest_teardown(item, nextitem):
    name = activation_of(item)
    if name and nextitem and activation_of(nextitem) != name:
        if next(_finished) % ACTIVATIONS_REMEMBERED == 0:
            jax.clear_caches()
