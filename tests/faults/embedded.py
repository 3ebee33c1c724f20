"""The composition with nothing beside it: one process and its SQLite file, on a disk that fails."""

import random
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager

from harness.faulty_disk import DiskFault, FaultyDisk
from harness.seonchak import Seonchak

from faults.fault import Fault
from faults.history import Contents, Coupon, Row
from faults.installation import Installation

DATABASE = "store.db"
CALLS_BEFORE_DEATH_MAX = 40
LOCK_TIMEOUT_S = 10.0
STRIKE_TIMEOUT_S = 10.0
POLL_S = 0.05


class Embedded(Installation):
    """One program with its store in its folder."""

    def __init__(self) -> None:
        super().__init__()
        self.disk = FaultyDisk(DATABASE)
        flags = ["--store", f"sqlite:{DATABASE}", "--ack-timeout-ms", "1500"]
        self.programs["api-1"] = Seonchak(*flags, variables=self.disk.variables)
        self.roles["api-1"] = {"api", "relay", "consumer"}

    @property
    def program(self) -> Seonchak:
        """The one there is."""
        return self.programs["api-1"]

    def connect(self) -> sqlite3.Connection:
        """The file, as another program sees it."""
        return sqlite3.connect(self.program.folder / DATABASE, timeout=LOCK_TIMEOUT_S, isolation_level=None)

    def contents(self, _: list[Coupon]) -> Contents:
        times = "issued_at / 1000.0, saved_at / 1000.0"
        query = f"SELECT coupon_id, user_id, sequence, epoch, {times} FROM user_coupon"
        with self.connect() as file:
            assert file.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            return Contents(rows=[Row(*row) for row in file.execute(query).fetchall()])

    def close(self) -> None:
        super().close()
        self.disk.close()


@contextmanager
def _kill(embedded: Embedded, _: random.Random) -> Iterator[None]:
    with embedded.killed("api-1"):
        yield


@contextmanager
def _pause(embedded: Embedded, _: random.Random) -> Iterator[None]:
    embedded.program.pause()
    try:
        yield
    finally:
        embedded.program.resume()


def _disk(fault: DiskFault) -> Fault:
    @contextmanager
    def inflict(embedded: Embedded, rng: random.Random) -> Iterator[None]:
        deadly = fault in (DiskFault.DIE_AT_SYNC, DiskFault.DIE_IN_WRITE)
        embedded.disk.set(fault, rng.randrange(CALLS_BEFORE_DEATH_MAX) if deadly else 0)
        try:
            yield
            deadline = time.monotonic() + STRIKE_TIMEOUT_S
            while not embedded.disk.strikes:
                assert time.monotonic() < deadline, f"{fault.name} has not struck"
                time.sleep(POLL_S)
        finally:
            embedded.disk.set(DiskFault.PASS)

    return Fault("program", inflict)


@contextmanager
def _lock(embedded: Embedded, _: random.Random) -> Iterator[None]:
    file = embedded.connect()
    try:
        file.execute("BEGIN IMMEDIATE")
        yield
    finally:
        file.close()


FAULTS: dict[str, Fault] = {
    "kill-program": Fault("program", _kill),
    "pause-program": Fault("program", _pause),
    "die-in-commit": _disk(DiskFault.DIE_AT_SYNC),
    "tear-a-write": _disk(DiskFault.DIE_IN_WRITE),
    "sync-error": _disk(DiskFault.SYNC_ERROR),
    "write-error": _disk(DiskFault.WRITE_ERROR),
    "full-disk": _disk(DiskFault.FULL),
    "lock-database": Fault("program", _lock),
}
