"""How many instructions a GPU issues per element: compiled ahead of time, for a GPU not there.

An elementwise function is as fast as memory if its instructions fit between the loads and stores.
They are counted in the machine code, up to where a thread ends: what lies beyond are subroutines
for rare numbers.

Needs the compiler for the H200 (see `targets`), and nvdisasm: it comes with CUDA, and with
`pip install triton`.
"""

import functools
import importlib.util
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax

from .cases import Case, product
from .libraries import JaxLibrary, installed
from .modes import MODES
from .results import InstructionRow
from .targets import TARGETS, MissingCompiler

TARGET = "h200"
PEERS = ["jax.nn"]
ELEMENTS = 1 << 20
SHAPE = (ELEMENTS // 1024, 1024)
COPY_BYTES_PER_SECOND = 4.3e12  # what copies reach on an H200, of 4.8e12 on paper
ISSUED_PER_SECOND = 132 * 128 * 1.98e9  # cores, lanes that issue at once in each, clock

KERNEL = re.compile(r"^\d+: kCustomKernel .*?(\S+) grid: \[(.*?)\] threads: \[(.*?)\]", re.M)
SECTION = re.compile(r"^\.text\.(\S+):\n(.*?/ +EXIT ;)", re.M | re.S)
INSTRUCTION = re.compile(r"/\*[0-9a-f]{4,}\*/\s+(?:@!?U?P\w+ )?([A-Z][\w.]*)")


class Count(NamedTuple):
    """Instructions per thread, and those among them for exponentials, reciprocals and the like."""

    all: int
    special: int


def measure_all(
    functions: Iterable[str], modes: Iterable[str], dtypes: Iterable[str]
) -> Iterator[list[InstructionRow]]:
    """Compiles one case after the other, ours and jax.nn's, and yields its rows."""
    libraries = [library for library in installed("cpu", PEERS) if isinstance(library, JaxLibrary)]
    for case in cases_of(functions, modes, dtypes):
        yield [row for library in libraries if (row := measure(case, library))]


def cases_of(functions: Iterable[str], modes: Iterable[str], dtypes: Iterable[str]) -> list[Case]:
    """What is compiled."""
    return product(functions, modes=list(modes), dtypes=list(dtypes), shapes=[SHAPE])


def budget(case_bytes: float) -> float:
    """How many instructions an element may take, while so many bytes of it are moved."""
    return case_bytes / COPY_BYTES_PER_SECOND * ISSUED_PER_SECOND


def measure(case: Case, library: JaxLibrary) -> InstructionRow | None:
    """Compiles one case for the target; None if the library has no such function."""
    function = library.find(case)
    if function is None:
        return None
    program = functools.partial(MODES[case.mode].program, function)
    operands = case.operands()
    results = jax.eval_shape(program, *operands)
    moved = sum(a.size * a.dtype.itemsize for a in jax.tree.leaves((operands, results)))
    counted, kernels = _count(program, operands)
    return InstructionRow(
        function=case.function,
        setting=case.setting,
        mode=case.mode,
        dtype=case.dtype,
        target=TARGET,
        library=library.name,
        instructions=counted.all / ELEMENTS,
        special=counted.special / ELEMENTS,
        kernels=kernels,
        budget=budget(moved / ELEMENTS),
    )


def _count(program: Any, operands: Any) -> tuple[Count, int]:
    """Instructions that all threads of a program issue, and its number of kernels."""
    target = TARGETS[TARGET]
    sharding = jax.sharding.SingleDeviceSharding(target.device())
    arguments = jax.tree.map(
        lambda a: jax.ShapeDtypeStruct(a.shape, a.dtype, sharding=sharding), operands
    )
    with tempfile.TemporaryDirectory() as folder:
        options = {**target.options(), "xla_dump_to": folder}
        jax.jit(program).lower(*arguments).compile(options)
        written = [path for path in Path(folder).glob("*.ptx") if path.stat().st_size]
        threads = _threads(next(Path(folder).glob("*thunk_sequence.txt")).read_text())
        code = "".join(_machine_code(path, target.options()) for path in written)
        counts = _per_thread(code)
    totals = [Count(*(n * threads[name] for n in counts[name])) for name in threads]
    return Count(sum(c.all for c in totals), sum(c.special for c in totals)), len(threads)


def _threads(sequence: str) -> dict[str, int]:
    """The number of threads of each kernel, as XLA launches it."""
    return {
        name: functools.reduce(lambda a, b: a * int(b), f"{grid}, {block}".split(", "), 1)
        for name, grid, block in KERNEL.findall(sequence)
    }


def _per_thread(code: str) -> Mapping[str, Count]:
    """Instructions of each kernel, subroutines left out."""
    found = {}
    for name, body in SECTION.findall(code):
        names = [opcode for opcode in INSTRUCTION.findall(body) if opcode != "NOP"]
        found[name] = Count(len(names), sum(opcode.startswith("MUFU") for opcode in names))
    return found


def _machine_code(assembly: Path, options: Mapping[str, Any]) -> str:
    """What ptxas makes of PTX, disassembled."""
    tools = str(Path(options.get("xla_gpu_cuda_data_dir", ".")) / "bin")
    binary = assembly.with_suffix(".cubin")
    subprocess.run(
        [_tool("ptxas", tools), "-arch=sm_90a", "-O3", assembly, "-o", binary], check=True
    )
    done = subprocess.run(
        [_tool("nvdisasm", tools), "-c", binary], check=True, capture_output=True, text=True
    )
    return done.stdout


def _tool(name: str, folder: str) -> str:
    triton = importlib.util.find_spec("triton")
    places = (
        [str(Path(triton.origin).parent / "backends/nvidia/bin")]
        if triton and triton.origin
        else []
    )
    for place in (folder, None, *places):
        if found := shutil.which(name, path=place):
            return found
    raise MissingCompiler(f"no {name} here: benchmarks/instructions.py says what to install")
