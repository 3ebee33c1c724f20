"""Moves a process's wall clock on demand: a small library that is compiled here and preloaded into it."""

import atexit
import functools
import mmap
import shutil
import struct
import subprocess
import tempfile
from pathlib import Path

SOURCE = Path(__file__).with_suffix(".c")
LAYOUT = struct.Struct("q")


class ShiftedClock:
    """The wall clock of processes that run with `variables`."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="seonchak-clock-")
        page = Path(self._folder.name) / "control"
        page.write_bytes(bytes(mmap.PAGESIZE))
        with page.open("r+b") as file:
            self._page = mmap.mmap(file.fileno(), mmap.PAGESIZE)
        self.variables = {"LD_PRELOAD": str(_library()), "SHIFTED_CLOCK_CONTROL": str(page)}

    def set(self, ahead_s: int) -> None:
        """From now on it is that far ahead of the machine's."""
        LAYOUT.pack_into(self._page, 0, ahead_s)

    def close(self) -> None:
        """Removes the page."""
        self._page.close()
        self._folder.cleanup()


@functools.cache
def _library() -> Path:
    """Compiled once a run."""
    folder = Path(tempfile.mkdtemp(prefix="seonchak-clock-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    library = folder / "shifted_clock.so"
    command = ["cc", "-shared", "-fPIC", "-O1", "-o", str(library), str(SOURCE), "-ldl"]
    subprocess.run(command, check=True)
    return library
