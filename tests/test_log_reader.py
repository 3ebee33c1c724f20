"""Whoever reads the log may be slow, or gone: nobody waits for that, and no line goes elsewhere."""

import fcntl
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from harness import coupons
from harness.seonchak import Seonchak
from harness.wait import eventually

STOPS_WITHIN_S = 10.0


class WithPipe(Seonchak):
    """Its standard error goes to `error`, or is closed."""

    def __init__(self, error: int | None) -> None:
        super().__init__("--store", "sqlite:x.db", "--log-level", "debug")
        self.error = error

    def launch(self) -> None:
        closed = (lambda: os.closerange(0, 3)) if self.error is None else None
        self._child = subprocess.Popen(
            self.command(),
            cwd=self.folder,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=self.error,
            preexec_fn=closed,
            start_new_session=True,
        )


def serves_and_stops(server: Seonchak) -> None:
    coupons.create(server, "c", 100)
    for user in coupons.users("u", 20):
        assert coupons.issue(server, "c", user).status == 201
    began = time.monotonic()
    assert server.stop() == 0
    assert time.monotonic() - began < STOPS_WITHIN_S


@pytest.fixture
def full_pipe() -> Iterator[tuple[int, int]]:
    """Its reading and its writing end."""
    reader, writer = os.pipe()
    flags = fcntl.fcntl(writer, fcntl.F_GETFL)
    fcntl.fcntl(writer, fcntl.F_SETFL, flags | os.O_NONBLOCK)
    try:
        while True:
            os.write(writer, b"x" * 4096)
    except BlockingIOError:
        fcntl.fcntl(writer, fcntl.F_SETFL, flags)
    yield reader, writer
    os.close(reader)
    os.close(writer)


def test_a_reader_who_does_not_read_holds_nobody_up(full_pipe: tuple[int, int]) -> None:
    reader, writer = full_pipe
    with WithPipe(writer) as server:
        dropped = "seonchak_log_lines_dropped_total"
        eventually(lambda: server.metrics().get(dropped, 0) >= 1, "dropped lines are counted")
        serves_and_stops(server)
    os.read(reader, 1 << 20)
    with WithPipe(writer) as server:
        serves_and_stops(server)
    assert b"info stopped" in os.read(reader, 1 << 20)


def test_a_reader_who_has_caught_up_is_told_what_is_missing(full_pipe: tuple[int, int]) -> None:
    reader, writer = full_pipe
    with WithPipe(writer) as server:
        os.read(reader, 1 << 20)
        serves_and_stops(server)
    assert b"log lines were dropped" in os.read(reader, 1 << 20)


def test_a_reader_who_is_gone_holds_nobody_up() -> None:
    reader, writer = os.pipe()
    with WithPipe(writer) as server:
        os.close(reader)
        os.close(writer)
        serves_and_stops(server)


def test_closed_standard_streams_are_nobody_elses() -> None:
    with WithPipe(None) as server:
        streams = {Path(f"/proc/{server.pid}/fd/{number}").readlink() for number in range(3)}
        assert streams == {Path("/dev/null")}
        serves_and_stops(server)
