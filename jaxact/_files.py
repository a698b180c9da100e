"""Files that are written whole or not at all."""

import os
import secrets
import shutil
from pathlib import Path


def write(path: str | os.PathLike[str], content: str | bytes) -> None:
    """Puts a file in the place of another at once: who reads it sees the old one or the new one.

    Where something else than a file is, such as /dev/stdout, that is written to.

    Raises:
        OSError: if it cannot be written; then what was there is there still.
    """
    data = content.encode("utf-8") if isinstance(content, str) else content
    target = Path(os.path.realpath(path))  # of a link, what it leads to
    if target.exists() and not target.is_file():
        target.write_bytes(data)
        return
    fresh = target.with_name(f".{secrets.token_hex(8)}.tmp")
    try:
        with fresh.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())  # a full disk may say so no sooner
        if target.exists():
            shutil.copymode(target, fresh)
        fresh.replace(target)
    finally:
        fresh.unlink(missing_ok=True)
