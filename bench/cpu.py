"""CPU time and memory of processes, from /proc."""

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path

from harness.process import Process, process_tree

TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid: int) -> float:
    """User and system time of a process, all its threads and children, also of those that have ended."""
    ticks = 0
    for each in process_tree(pid):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            fields = Path(f"/proc/{each}/stat").read_text().rsplit(")", 1)[1].split()
            ticks += sum(int(field) for field in fields[11:15])
    return ticks / TICKS_PER_S


def thread_seconds(pid: int) -> dict[str, float]:
    """User and system time of a process by the names of its threads."""
    ticks: dict[str, int] = {}
    for task in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            name, fields = (task / "stat").read_text().split("(", 1)[1].rsplit(")", 1)
            ticks[name] = ticks.get(name, 0) + sum(int(field) for field in fields.split()[11:13])
    return {name: count / TICKS_PER_S for name, count in ticks.items()}


def rss_bytes(pid: int) -> int:
    """Resident memory of one process."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise ValueError(f"process {pid} has no VmRSS")


class CpuMeter:
    """What named processes have used since the last reading."""

    def __init__(self, processes: Mapping[str, Process]) -> None:
        self._processes = dict(processes)
        self._before = self._read()

    def _read(self) -> dict[str, float]:
        return {name: cpu_seconds(process.pid) for name, process in self._processes.items()}

    def per_request_us(self, requests: int) -> dict[str, float]:
        """Microseconds per request since the start."""
        now = self._read()
        return {name: (now[name] - self._before[name]) / max(1, requests) * 1e6 for name in now}
