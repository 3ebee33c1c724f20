"""The fault proxy, the failing disk and the skewed clock do what the fault tests rely on."""

import socket
import socketserver
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import Consumer, TopicPartition
from harness.faulty_disk import DiskFault, FaultyDisk
from harness.proxy import Proxy
from harness.record_batch import produce_copies
from harness.sentinel import ReplicatedRedis, Sentinel
from harness.servers import RedisServer, SharedServer
from harness.skewed_clock import SkewedClock

SILENT_S = 0.3
ANSWER_S = 10.0


class _Shout(socketserver.BaseRequestHandler):
    """Answers in capitals, and remembers what it heard."""

    heard: list[bytes]

    def handle(self) -> None:
        while part := self.request.recv(100):
            self.heard.append(part)
            self.request.sendall(part.upper())


@pytest.fixture
def heard() -> list[bytes]:
    """What the server behind the proxy was told."""
    return []


@pytest.fixture
def proxy(heard: list[bytes]) -> Iterator[Proxy]:
    """A proxy with the link `a` to a server that shouts."""
    handler = type("Shout", (_Shout,), {"heard": heard})
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with Proxy({"a": server.server_address[1]}) as started:
            yield started
        server.shutdown()


@pytest.fixture
def client(proxy: Proxy) -> Iterator[socket.socket]:
    """A connection through the link."""
    with socket.create_connection(("127.0.0.1", proxy.ports["a"]), timeout=ANSWER_S) as connection:
        connection.sendall(b"hello")
        assert connection.recv(100) == b"HELLO"
        yield connection


def is_silent(client: socket.socket) -> bool:
    client.settimeout(SILENT_S)
    try:
        return client.recv(100) is None
    except TimeoutError:
        return True
    finally:
        client.settimeout(ANSWER_S)


def test_a_stalled_link_hands_nothing_over_until_it_heals(
    proxy: Proxy, client: socket.socket, heard: list[bytes]
) -> None:
    proxy.set("a", "stall")
    client.sendall(b"one")
    assert is_silent(client)
    assert heard == [b"hello"]
    proxy.set("a", "pass")
    assert client.recv(100) == b"ONE"


def test_a_mute_link_lets_the_server_hear_and_the_client_wait(
    proxy: Proxy, client: socket.socket, heard: list[bytes]
) -> None:
    proxy.set("a", "mute")
    client.sendall(b"one")
    assert is_silent(client)
    assert heard == [b"hello", b"one"]
    proxy.set("a", "pass")
    assert client.recv(100) == b"ONE"


def test_a_cut_link_ends_connections_and_refuses_new_ones(proxy: Proxy, client: socket.socket) -> None:
    proxy.set("a", "cut")
    assert client.recv(100) == b""
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", proxy.ports["a"]), timeout=ANSWER_S)
    proxy.set("a", "pass")
    with socket.create_connection(("127.0.0.1", proxy.ports["a"]), timeout=ANSWER_S) as again:
        again.sendall(b"two")
        assert again.recv(100) == b"TWO"


def test_a_reset_link_resets_once(proxy: Proxy, client: socket.socket) -> None:
    proxy.set("a", "reset")
    with pytest.raises(ConnectionResetError):
        client.recv(100)
    with socket.create_connection(("127.0.0.1", proxy.ports["a"]), timeout=ANSWER_S) as again:
        again.sendall(b"two")
        assert again.recv(100) == b"TWO"


def test_a_delayed_link_is_slow_both_ways(proxy: Proxy, client: socket.socket) -> None:
    proxy.set("a", "delay", 200)
    began = time.monotonic()
    client.sendall(b"one")
    assert client.recv(100) == b"ONE"
    assert time.monotonic() - began >= 0.4


WRITER = """
import os, sys
file = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
for step in (lambda: os.pwrite(file, b"12345678", 0), lambda: os.fsync(file), lambda: os.fdatasync(file)):
    try:
        step()
    except OSError as error:
        print(error.errno)
"""


@pytest.mark.parametrize(
    ("fault", "after_calls", "printed", "code", "content"),
    [
        (DiskFault.PASS, 0, [], 0, b"12345678"),
        (DiskFault.SYNC_ERROR, 0, [5, 5], 0, b"12345678"),
        (DiskFault.SYNC_ERROR, 1, [5], 0, b"12345678"),
        (DiskFault.FULL, 0, [28], 0, b""),
        (DiskFault.WRITE_ERROR, 0, [5], 0, b""),
        (DiskFault.DIE_AT_SYNC, 0, [], -9, b"12345678"),
        (DiskFault.DIE_IN_WRITE, 0, [], -9, b"1234"),
    ],
)
def test_a_disk_fails_as_told(
    tmp_path: Path, fault: DiskFault, after_calls: int, printed: list[int], code: int, content: bytes
) -> None:
    disk = FaultyDisk("failing")
    disk.set(fault, after_calls)
    for name in ("sound", "failing"):
        command = [sys.executable, "-c", WRITER, str(tmp_path / name)]
        done = subprocess.run(command, env=disk.variables, capture_output=True, text=True, check=False)
        if name == "sound":
            assert (done.returncode, done.stdout, disk.strikes) == (0, "", 0)
    assert done.returncode == code
    assert [int(line) for line in done.stdout.split()] == printed
    assert (tmp_path / "failing").read_bytes() == content
    assert (disk.strikes > 0) == (fault is not DiskFault.PASS)
    disk.close()


@pytest.fixture
def sentinel() -> Iterator[Sentinel]:
    """A master with a replica in step, and their Sentinel."""
    master = ReplicatedRedis()
    replica = ReplicatedRedis(master)
    with master, replica, Sentinel([master, replica]) as started:
        started.wait_in_step()
        yield started


def test_a_replica_that_was_not_fed_is_promoted_behind_its_master(sentinel: Sentinel) -> None:
    old = sentinel.master
    with old.client() as client:
        client.set("known", 1)
        assert client.wait(1, 5_000) == 1
        old.admit_replicas(False)
        client.set("unknown", 1)
    old.kill()
    new = sentinel.wait_promoted(other_than=old)
    sentinel.be_patient()
    with new.client() as client:
        assert (client.get("known"), client.get("unknown")) == ("1", None)
    old.start()
    sentinel.wait_in_step()
    with old.client() as client:
        assert client.get("unknown") is None


def test_a_paused_master_is_one_of_two_until_the_sentinel_has_seen_it(sentinel: Sentinel) -> None:
    old = sentinel.master
    old.pause()
    new = sentinel.wait_promoted(other_than=old)
    sentinel.be_patient()
    old.resume()
    sentinel.wait_in_step()
    assert sentinel.master is new


@pytest.mark.parametrize("seconds", [7_200.25, -3_600.75])
def test_a_skewed_clock_is_ahead_or_behind_until_it_is_set_right(seconds: float) -> None:
    clock = SkewedClock()
    with RedisServer(clock) as redis, redis.client() as client:

        def ahead() -> float:
            whole, microseconds = client.time()
            return whole + microseconds / 1_000_000 - time.time()

        for skew in (0.0, seconds, 0.0):
            clock.set(skew)
            assert ahead() == pytest.approx(skew, abs=1.0)
    clock.close()


def test_copies_of_a_message_are_all_there(kafka_server: SharedServer, topic: str) -> None:
    headers = [("ce_id", b"c:1:7")]
    produce_copies(kafka_server.address, topic, 30_000, b"key", b"value", headers)
    consumer = Consumer({"bootstrap.servers": kafka_server.address, "group.id": topic})
    try:
        low, high = consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=ANSWER_S)
        assert low == 0
        assert high >= 30_000
        for offset in (0, high - 1):
            consumer.assign([TopicPartition(topic, 0, offset)])
            message = consumer.poll(ANSWER_S)
            assert (message.error(), message.offset()) == (None, offset)
            assert (message.key(), message.value(), message.headers()) == (b"key", b"value", headers)
    finally:
        consumer.close()
