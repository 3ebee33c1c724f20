"""Makes a process's disk fail on demand: a small library that is compiled here and preloaded into it."""

import atexit
import functools
import mmap
import shutil
import struct
import subprocess
import tempfile
from enum import IntEnum
from pathlib import Path

SOURCE = Path(__file__).with_suffix(".c")
LAYOUT = struct.Struct("iii")


class DiskFault(IntEnum):
    """As in faulty_disk.c."""

    PASS = 0
    SYNC_ERROR = 1
    FULL = 2
    WRITE_ERROR = 3
    DIE_AT_SYNC = 4
    DIE_IN_WRITE = 5


class FaultyDisk:
    """The failing of files whose path contains `files`, in processes that run with `variables`."""

    def __init__(self, files: str) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="seonchak-disk-")
        page = Path(self._folder.name) / "control"
        page.write_bytes(bytes(mmap.PAGESIZE))
        with page.open("r+b") as file:
            self._page = mmap.mmap(file.fileno(), mmap.PAGESIZE)
        self.variables = {
            "LD_PRELOAD": str(_library()),
            "FAULTY_DISK_CONTROL": str(page),
            "FAULTY_DISK_FILES": files,
        }

    def set(self, fault: DiskFault, after_calls: int = 0) -> None:
        """From now on, once `after_calls` calls have passed."""
        LAYOUT.pack_into(self._page, 0, DiskFault.PASS, after_calls, 0)
        LAYOUT.pack_into(self._page, 0, fault, after_calls, 0)

    @property
    def strikes(self) -> int:
        """How many calls have failed since `set`."""
        return LAYOUT.unpack_from(self._page, 0)[2]

    def close(self) -> None:
        """Removes the page."""
        self._page.close()
        self._folder.cleanup()


@functools.cache
def _library() -> Path:
    """Compiled once a run."""
    folder = Path(tempfile.mkdtemp(prefix="seonchak-disk-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    library = folder / "faulty_disk.so"
    command = ["cc", "-shared", "-fPIC", "-O1", "-o", str(library), str(SOURCE), "-ldl"]
    subprocess.run(command, check=True)
    return library
