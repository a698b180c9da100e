"""What is public: names, signatures, docstrings with examples that run, and what imports cost."""

import ast
import doctest
import inspect
import re
import subprocess
import sys
import types
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import printed
import pytest

import jaxact

ROOT = Path(jaxact.__file__).parents[1]
NO_ACTIVATIONS = {  # what declares, finds, writes one plainly, and company from jax.nn
    *("activation", "get", "plain"),
    *("logmeanexp", "logsumexp", "one_hot", "standardize"),
}
SECTIONS = ("Args", "Returns", "Accuracy", "Edges", "Raises", "Source", "Example")
OURS = {
    name: entry
    for name, entry in jaxact.CATALOG.items()
    if entry.function.__module__.startswith("jaxact.")  # and not of whoever runs the laws
}
ENTRIES = pytest.mark.parametrize("entry", OURS.values(), ids=lambda e: e.name)

# Which rooms each may enter: what is deeper in the house never knows what is above it.
FLOORS = {
    "core": {
        "_beside_roots",
        "_catalog",
        "_arguments",
        "_arithmetic",
        "_derivatives",
        "_domains",
        "_few_bit",
        "_files",
        "_gelu_exponent",
        "_jax",
        "_layouts",
        "_levels",
        "_mechanism",
        "_normal",
        "_packing",
        "_plain",
        "_opaque_call",
        "_trace_names",
    },
    "functions": {"functions"},
    "rooms": {
        "backward",
        "theory",
        "names",
        "keras",
        "_expectations",
        "_initializers",
        "_modules",
        "tracing",
    },
    "modules": {"nnx", "linen", "diagnostics", "adoption"},
}


def public_functions():
    return {
        name: value
        for name, value in vars(jaxact).items()
        if isinstance(value, types.FunctionType) and not name.startswith("_")
    }


def test_the_public_functions_are_the_catalogue():
    """Some go by two names."""
    names = {function.__name__ for function in public_functions().values()}
    assert names - NO_ACTIVATIONS == OURS.keys() - NO_ACTIVATIONS


@ENTRIES
def test_an_activation_is_a_plain_function_under_its_own_name(entry):
    assert getattr(jaxact, entry.name) is entry.function
    assert isinstance(entry.function, types.FunctionType)
    parameters = inspect.signature(entry.function).parameters.values()
    assert all(p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD) for p in parameters)
    assert all(p.annotation is not p.empty for p in parameters)
    for setting in entry.samples:
        assert setting.keys() <= {p.name for p in parameters}


@ENTRIES
def test_the_docstring_says_what_must_be_known(entry):
    text = inspect.getdoc(entry.function)
    headings = re.findall(r"^([A-Z]\w+):$", text, re.MULTILINE)
    assert [h for h in headings if h in SECTIONS] == list(SECTIONS)
    source = text[text.index("Source:") : text.index("Example:")]
    assert " ".join(entry.source.split()) in " ".join(source.split())
    described = text[text.index("Args:") : text.index("Returns:")]
    for name in inspect.signature(entry.function).parameters:
        assert re.search(rf"^\s+{name}: ", described, re.MULTILINE), f"{name} is not described"


@ENTRIES
def test_the_example_runs(entry):
    example_runs(entry.function)


def example_runs(function):
    """The examples in a docstring give what they say."""
    names = {"jax": jax, "jnp": jnp, "np": np, "jaxact": jaxact}
    printed.check(doctest.DocTestFinder(recurse=False).find(function, globs=names))


@pytest.mark.parametrize(
    ("want", "got", "close"),
    [
        ("Array([0.16928111, 0.8307189 ])", "Array([0.16928107, 0.83071893])", True),
        ("Array([ 1. , -0.5])", "Array([ 0.99999994, -0.5       ])", True),
        ("-0.01212538", "-0.01212539", True),
        ("2.0611537e-09", "2.0611539e-09", True),
        ("2.0611537e-09", "2.0611737e-09", False),
        ("0.16928111", "0.16929111", False),
        ("0.16928111", "-0.16928111", False),
        ("1.5", "nan", False),
        ("0.22", "0.23", False),
        ("[1. 2.]", "[1. 2. 3.]", False),
        ("(2, 3)", "(2, 4)", False),
        ("Array(1., dtype=float32)", "Array(1., dtype=float64)", False),
    ],
)
def test_examples_may_differ_in_their_last_places_only(want, got, close):
    assert printed.are_close(want, got) == close


@pytest.mark.parametrize(
    "entry", [e for e in jaxact.CATALOG.values() if e.kind == "random"], ids=lambda e: e.name
)
def test_a_random_function_is_told_its_key(entry):
    assert "key" in inspect.signature(entry.function).parameters


def test_importing_loads_jax_and_nothing_else():
    """Nor are the rooms entered that need more; they are found when they are named."""
    program = """
import sys
import jax, jax.numpy, jax.custom_derivatives, jax.extend.core, jax.interpreters
before = set(sys.modules)
import jaxact
loaded = {name.partition(".")[0] for name in set(sys.modules) - before}
assert loaded <= {"jaxact"} | set(sys.stdlib_module_names), loaded
assert "jaxact.nnx" not in sys.modules
assert "nnx" in dir(jaxact)
jaxact.theory
assert "flax" not in sys.modules
jaxact.nnx
assert "flax" in sys.modules
"""
    run_in_checkout(program)


def run_in_checkout(program):
    """Runs a program where jaxact is not installed, only found in the current directory."""
    result = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr


def test_it_works_from_a_checkout_that_is_not_installed():
    run_in_checkout(
        "import jaxact, pathlib\n"
        "assert pathlib.Path(jaxact.__file__).parent.parent == pathlib.Path.cwd()\n"
        "assert float(jaxact.relu(-1.0)) == 0"
    )


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        jaxact.nonsense  # noqa: B018


def imports(path):
    """The modules of the package that a file imports, relative to the package: no cycle hides."""
    package = path.relative_to(ROOT / "jaxact").with_suffix("").parts
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = package[: len(package) - node.level]
            if node.module:
                yield (*base, *node.module.split("."))
            else:
                yield from ((*base, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module.split(".")[0] == "jaxact":
            yield tuple(node.module.split(".")[1:])
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.split(".")[0] == "jaxact":
                    yield tuple(alias.name.split(".")[1:])


def sources():
    """All files of the package but its front door."""
    return [p for p in (ROOT / "jaxact").rglob("*.py") if p != ROOT / "jaxact" / "__init__.py"]


def test_imports_point_downwards():
    floors = {room: level for level, rooms in enumerate(FLOORS.values()) for room in rooms}
    for path in sources():
        room = path.relative_to(ROOT / "jaxact").with_suffix("").parts[0]
        for target in imports(path):
            assert floors[target[0]] <= floors[room], f"{path} looks up to {'.'.join(target)}"


def test_imports_form_no_cycle():
    graph = {}
    for path in sources():
        parts = path.relative_to(ROOT / "jaxact").with_suffix("").parts
        graph[parts] = set(imports(path))
    done = set()

    def visit(module, above):
        assert module not in above, f"{' -> '.join(map('.'.join, (*above, module)))}"
        if module not in done:
            for target in graph.get(module, graph.get((*module, "__init__"), ())):
                visit(target, (*above, module))
            done.add(module)

    for module in graph:
        visit(module, ())
