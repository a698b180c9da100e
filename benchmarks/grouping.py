"""Rows that belong together, in the order in which they were measured."""

from collections.abc import Callable, Hashable, Sequence
from typing import TypeVar

from .results import InstructionRow, MemoryRow, SpeedRow

Key = TypeVar("Key", bound=Hashable)
Row = TypeVar("Row", SpeedRow, MemoryRow, InstructionRow)


def grouped(rows: Sequence[Row], key: Callable[[Row], Key]) -> dict[Key, list[Row]]:
    """The rows under their keys."""
    groups: dict[Key, list[Row]] = {}
    for row in rows:
        groups.setdefault(key(row), []).append(row)
    return groups


def by_speed_conditions(rows: Sequence[SpeedRow]) -> dict[str, list[SpeedRow]]:
    """The rows that can be read side by side, under a title."""
    return grouped(rows, lambda row: f"{row.mode}, {row.dtype}, {row.shape}")


def by_network(rows: Sequence[MemoryRow]) -> dict[str, list[MemoryRow]]:
    """The rows that can be read side by side, under a title."""
    return grouped(rows, lambda row: f"{row.network}, {row.target}, {row.dtype}, {row.size}")


def by_program(rows: Sequence[InstructionRow]) -> dict[str, list[InstructionRow]]:
    """The rows that can be read side by side, under a title."""
    return grouped(rows, lambda row: f"{row.mode}, {row.dtype}, {row.target}")


def activation(row: SpeedRow | MemoryRow | InstructionRow) -> str:
    """The activation as one would call it."""
    return f"{row.function}({row.setting})" if row.setting else row.function
