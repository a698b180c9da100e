"""What a measurement leaves behind: rows, and the file that holds them."""

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from jaxact._domains import refusal

from .environment import headline


@dataclass(frozen=True, kw_only=True)
class SpeedRow:
    """How fast one library does one case.

    Attributes:
        function: name of the activation.
        setting: its parameters.
        mode: the way it is used, a key of `modes.MODES`.
        dtype: dtype of inputs and outputs.
        shape: shape of an input.
        library: who did it.
        nanoseconds: fastest time per element of the first input.
        median_nanoseconds: median time per element.
        noise: how far the fastest times, of the case and of the copy, can be trusted.
        gigabytes_per_second: bytes of inputs and outputs over time.
        copies: time over that of a copy which moves as many bytes. About 1 is the floor forward;
            backward it is somewhat lower, for a copy writes half of them and a pull-back a third.
        bandwidth_fraction: gigabytes_per_second over that of a copy beyond the caches; within the
            caches it may be more than 1.
        operations: arithmetic per element, as XLA counts it.
        lower_milliseconds: time to trace and lower; None where nothing is compiled.
        compile_milliseconds: time to compile.
        temporary_bytes: memory for temporaries.
        residual_bytes: bytes kept for the backward pass, per element.
        collectives: operations between devices, with the arrays sharded over all of them; None
            where there is one device.
    """

    METRICS: ClassVar[tuple[str, ...]] = ("copies", "nanoseconds")

    function: str
    setting: str
    mode: str
    dtype: str
    shape: str
    library: str
    nanoseconds: float
    median_nanoseconds: float
    noise: float
    gigabytes_per_second: float
    copies: float
    bandwidth_fraction: float
    operations: float | None
    lower_milliseconds: float | None
    compile_milliseconds: float | None
    temporary_bytes: int | None
    residual_bytes: float | None
    collectives: int | None

    @property
    def case(self) -> tuple[str, ...]:
        """What was measured, whoever did it."""
        return (self.function, self.setting, self.mode, self.dtype, self.shape)

    @property
    def temporary_mebibytes(self) -> float | None:
        """Memory for temporaries, in units to read."""
        return None if self.temporary_bytes is None else self.temporary_bytes / 2**20


@dataclass(frozen=True, kw_only=True)
class MemoryRow:
    """How much memory one compiled training step of one network takes.

    Attributes:
        function: name of the activation.
        setting: its parameters.
        network: a key of `networks.NETWORKS`.
        recipe: how its backward pass is arranged, a key of `networks.RECIPES`.
        target: what it is compiled for, a key of `targets.TARGETS`.
        dtype: dtype of weights and activations.
        size: batch x features x layers.
        library: whose function it is.
        temporaries: memory for temporaries, in activation arrays; None where nothing is compiled.
        outputs: memory for the loss and the gradients, in activation arrays.
        residual_bytes: bytes that reverse mode keeps of the function alone, per element.
    """

    METRICS: ClassVar[tuple[str, ...]] = ("temporaries",)
    noise: ClassVar[float] = 0.0  # the compiler says the same each time

    function: str
    setting: str
    network: str
    recipe: str
    target: str
    dtype: str
    size: str
    library: str
    temporaries: float | None
    outputs: float | None
    residual_bytes: float

    @property
    def case(self) -> tuple[str, ...]:
        """What was measured, whoever did it."""
        return (
            *(self.function, self.setting, self.network, self.recipe),
            *(self.target, self.dtype, self.size),
        )


@dataclass(frozen=True, kw_only=True)
class InstructionRow:
    """How many instructions one library's program for a GPU issues.

    Attributes:
        function: name of the activation.
        setting: its parameters.
        mode: the way it is used, a key of `modes.MODES`.
        dtype: dtype of inputs and outputs.
        target: what it is compiled for, a key of `targets.TARGETS`.
        library: whose function it is.
        instructions: per element.
        special: those among them for exponentials, reciprocals and the like, per element.
        kernels: of the program.
        budget: instructions per element that fit into the time of moving its bytes.
    """

    METRICS: ClassVar[tuple[str, ...]] = ("instructions", "special")
    noise: ClassVar[float] = 0.0  # the compiler says the same each time

    function: str
    setting: str
    mode: str
    dtype: str
    target: str
    library: str
    instructions: float
    special: float
    kernels: int
    budget: float

    @property
    def case(self) -> tuple[str, ...]:
        """What was measured, whoever did it."""
        return (self.function, self.setting, self.mode, self.dtype, self.target)


@dataclass(frozen=True, kw_only=True)
class OverheadRow:
    """What it costs to use a function at all.

    Attributes:
        function: its name.
        what: "import", "call", "gradient" or "network", as in `overhead`.
        library: whose function it is.
        microseconds: of the fastest round.
        noise: by how much the median exceeds it, relative to it.
    """

    METRICS: ClassVar[tuple[str, ...]] = ("microseconds",)

    function: str
    what: str
    library: str
    microseconds: float
    noise: float

    @property
    def case(self) -> tuple[str, ...]:
        """What was measured, whoever did it."""
        return (self.function, self.what)


Row = SpeedRow | MemoryRow | InstructionRow | OverheadRow
ROWS: dict[str, type[Row]] = {
    "speed": SpeedRow,
    "memory": MemoryRow,
    "instructions": InstructionRow,
    "overhead": OverheadRow,
}


LARGEST = 2**26  # bytes of a file; the largest that is kept here has 403 kB


class MalformedResults(ValueError):
    """A file that does not hold results."""


@dataclass(frozen=True)
class Results:
    """The rows that one command made, and where it made them.

    Attributes:
        command: a key of `ROWS`.
        environment: see `environment.describe`.
        rows: what was measured.
    """

    command: str
    environment: dict[str, Any]
    rows: list[Any]

    def text(self) -> str:
        """A JSON file with a line for each row, so that git shows what changed."""
        command, environment = json.dumps(self.command), json.dumps(self.environment)
        rows = ",\n".join(json.dumps(dataclasses.asdict(row)) for row in self.rows)
        return f'{{"command": {command},\n"environment": {environment},\n"rows": [\n{rows}\n]}}\n'

    @classmethod
    def read(cls, path: Path) -> "Results":
        """Reads a file of such a text.

        Raises:
            MalformedResults: if the file holds something else.
            OSError: if it cannot be read.
        """
        with path.open("rb") as file:
            text = file.read(LARGEST + 1)
        if len(text) > LARGEST:
            raise MalformedResults(f"{path} is larger than results are, {LARGEST:,} bytes")
        try:
            content = json.loads(text)
            results = cls(content["command"], content["environment"], [])
            headline(results.environment)
            for fields in content["rows"]:
                results.rows.append(_row(ROWS[results.command], fields))
            return results
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise MalformedResults(f"{path} does not hold results of this program") from error


def _row(kind: type[Row], fields: dict[str, Any]) -> Row:
    """A row of such fields.

    Raises:
        TypeError: if there are others, or they are of other types.
    """
    row = kind(**fields)
    for field in dataclasses.fields(kind):
        if refusal(field.type, value := getattr(row, field.name)):
            raise TypeError(f"{field.name} is {value!r}")
    return row
