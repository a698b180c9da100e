"""What the commands of examples and benchmarks share: where they write, and how they end."""

import argparse
import contextlib
import errno
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jaxact._files import write

INTERRUPTED = 130  # exit codes, by convention 128 and the number of the signal
BROKEN_PIPE = 141


class Ending:
    """While it is entered, output that nobody takes stops nothing; then the exit code is `code`.

    What went wrong is said in one line each on the standard error.

    Args:
        program: its name.
    """

    def __init__(self, program: str):
        self.program, self.code = program, 0

    def __enter__(self) -> "Ending":
        self._stdout, self._output = sys.stdout, _Output(sys.stdout)
        sys.stdout = self._output
        return self

    def __exit__(self, kind: Any, error: BaseException | None, _: Any) -> bool:
        self._output.flush()
        sys.stdout = self._stdout
        if failure := self._output.failure:
            is_pipe = isinstance(failure, BrokenPipeError)
            self.fail(BROKEN_PIPE if is_pipe else 1, f"cannot print: {failure.strerror}")
        if isinstance(error, KeyboardInterrupt):
            self.fail(INTERRUPTED, str(error) or "interrupted")
        return isinstance(error, KeyboardInterrupt)

    def fail(self, code: int, message: str) -> None:
        """Says what went wrong, and sets the exit code."""
        self.code = code
        with contextlib.suppress(OSError, AttributeError):  # it may be closed, or None
            print(f"{self.program}: {message}", file=sys.stderr, flush=True)

    def save(self, path: Path, content: str | bytes) -> Path:
        """Writes a file, or if that fails one for temporary files; returns which."""
        try:
            write(path, content)
            return path
        except OSError as error:
            reason = error.strerror
        elsewhere = Path(tempfile.gettempdir())
        try:
            elsewhere = Path(tempfile.mkdtemp(prefix=f"{path.stem}-")) / path.name
            write(elsewhere, content)
        except OSError as error:
            self.fail(1, f"cannot write {path}: {reason}, nor {elsewhere}: {error.strerror}")
            return path
        self.fail(1, f"cannot write {path}: {reason}; instead it is {elsewhere}")
        return elsewhere


class _Output:
    """A stream that fails in silence, and has what it cannot encode as question marks."""

    def __init__(self, stream: Any):
        self._stream, self.failure = stream, None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        encoding = getattr(self._stream, "encoding", None) or "utf-8"
        self._try("write", text.encode(encoding, "replace").decode(encoding))
        return len(text)

    def flush(self) -> None:
        self._try("flush")

    def _try(self, method: str, *arguments: str) -> None:
        if self._stream is None or self.failure:
            return
        try:
            getattr(self._stream, method)(*arguments)
        except OSError as error:
            self.failure = error
            with contextlib.suppress(OSError):  # lest Python fail again when it flushes in the end
                os.dup2(os.open(os.devnull, os.O_WRONLY), self._stream.fileno())


def new_file(name: str, *suffixes: str) -> Callable[[str], Path]:
    """A file to write, for argparse; of a folder, which is made if the text ends in "/", `name`.

    Args:
        name: of the file, in a folder.
        *suffixes: that it may have; any unless given.
    """

    def parse(text: str) -> Path:
        path = Path(text)
        try:
            if text.endswith(("/", os.sep)):
                path.mkdir(parents=True, exist_ok=True)
            if path.is_dir():
                path /= name
            if suffixes and path.suffix not in suffixes:
                raise argparse.ArgumentTypeError(f"must end in {', '.join(suffixes)}, got {text!r}")
            _require_writable(path)
        except (OSError, ValueError) as error:  # ValueError for characters that no path has
            reason = getattr(error, "strerror", None) or error
            raise argparse.ArgumentTypeError(f"cannot write {text!r}: {reason}") from None
        return path

    return parse


def _require_writable(path: Path) -> None:
    """Raises OSError if a file cannot be written there."""
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if path.exists() and not os.access(path, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    if path.is_file() or not path.exists():  # it will be put in place from its folder
        tempfile.TemporaryFile(dir=path.resolve().parent).close()
