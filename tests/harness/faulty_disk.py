"""Makes a process's disk fail on demand, by a small library that is preloaded into it."""

import struct
from enum import IntEnum

from harness.preload import ControlPage, preloaded

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
        self._page = ControlPage()
        self.variables = {
            "LD_PRELOAD": str(preloaded("faulty_disk")),
            "FAULTY_DISK_CONTROL": str(self._page.path),
            "FAULTY_DISK_FILES": files,
        }

    def set(self, fault: DiskFault, after_calls: int = 0) -> None:
        """From now on, once `after_calls` calls have passed."""
        LAYOUT.pack_into(self._page.memory, 0, DiskFault.PASS, after_calls, 0)
        LAYOUT.pack_into(self._page.memory, 0, fault, after_calls, 0)

    @property
    def strikes(self) -> int:
        """How many calls have failed since `set`."""
        return LAYOUT.unpack_from(self._page.memory, 0)[2]

    def close(self) -> None:
        """Removes the page."""
        self._page.close()
