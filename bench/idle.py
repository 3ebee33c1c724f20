"""What the server costs before anybody comes: memory, time to start, memory per connection."""

import contextlib
import resource
import socket
import time
from typing import Any

from harness.seonchak import Seonchak

from bench.cpu import rss_bytes
from bench.lab import Lab

CONNECTIONS = 10_000
READY_TIMEOUT_S = 20.0
SETTLE_S = 1.0
STARTS = 5
REQUEST = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


def _ready(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
        connection.sendall(b"GET /readyz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        return connection.recv(1024).startswith(b"HTTP/1.1 200")
    return False


def _time_to_start(server: Seonchak) -> float:
    """Milliseconds from the start of the process to the first good answer of /readyz."""
    began = time.monotonic()
    server.launch()
    while not _ready(server.port):
        if time.monotonic() - began > READY_TIMEOUT_S:
            raise RuntimeError(f"not ready:\n{server.log_tail()}")
        time.sleep(0.0005)
    return (time.monotonic() - began) * 1e3


def start_and_rest(*flags: str) -> dict[str, Any]:
    """The time until it is ready, the median of a few starts, and its memory when nobody asks anything."""
    server = Seonchak("--log-level", "warn", *flags)
    try:
        times = []
        for _ in range(STARTS):
            server.stop()
            times.append(_time_to_start(server))
        time.sleep(SETTLE_S)
        return {
            "ready_ms": sorted(times)[STARTS // 2],
            "starts_ms": times,
            "rss_mb": rss_bytes(server.pid) / 1e6,
        }
    finally:
        server.close()


def memory_per_connection(server: Seonchak, count: int = CONNECTIONS) -> dict[str, Any]:
    """Resident memory that each of many kept-alive connections adds once it has had an answer."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    count = min(count, hard - 200)
    before = rss_bytes(server.pid)
    with contextlib.ExitStack() as stack:
        for _ in range(count):
            connection = stack.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=10))
            connection.sendall(REQUEST)
            if not connection.recv(1024).startswith(b"HTTP/1.1 200"):
                raise RuntimeError("a connection was refused")
        time.sleep(SETTLE_S)
        grown = rss_bytes(server.pid) - before
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return {"connections": count, "bytes_per_connection": grown / count}


def idle(lab: Lab) -> dict[str, Any]:
    """All three."""
    chain = lab.servers_of(lab.new_redis(), lab.new_name("idle"), "idle")
    return {
        "embedded": start_and_rest(),
        "chain": start_and_rest(*chain),
        "connections": memory_per_connection(lab.serve()),
    }
