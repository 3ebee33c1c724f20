"""Small C libraries beside this file, compiled once a run and preloaded into servers under test."""

import atexit
import functools
import mmap
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

HERE = Path(__file__).parent


@functools.cache
def preloaded(name: str) -> Path:
    """The library that `name`.c becomes."""
    folder = Path(tempfile.mkdtemp(prefix="seonchak-preload-"))
    # Servers of other users load it, too.
    folder.chmod(0o755)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    library = folder / f"{name}.so"
    source = HERE / f"{name}.c"
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", str(library), str(source), "-ldl"], check=True)
    return library


class ControlPage:
    """A page that this process and those it starts have in common: `path` names it, `memory` is it."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="seonchak-control-")
        self.path = Path(self._folder.name) / "page"
        self.path.write_bytes(bytes(mmap.PAGESIZE))
        descriptor = os.open(self.path, os.O_RDWR)
        self.memory = mmap.mmap(descriptor, mmap.PAGESIZE)
        os.close(descriptor)

    def close(self) -> None:
        """Removes it; a process that has it keeps what it had."""
        self.memory.close()
        self._folder.cleanup()
