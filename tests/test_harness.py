"""The harness itself: what a test relies on when it kills, pauses and restarts a server."""

import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import psycopg
import pytest
import redis
from confluent_kafka import Consumer, Producer
from harness import http
from harness.parts import Parts
from harness.process import ROOT, Process
from harness.servers import RedisServer, SharedServer, create_database

KAFKA_TIMEOUT_S = 30
GONE_TIMEOUT_S = 10


def test_redis_keeps_its_data_over_a_kill(own_redis: RedisServer) -> None:
    with own_redis.client() as client:
        client.set("key", "value")
    own_redis.kill()
    assert own_redis.exit_code == -9
    own_redis.start()
    with own_redis.client() as client:
        assert client.get("key") == "value"


def test_a_paused_redis_keeps_connections_and_does_not_answer(own_redis: RedisServer) -> None:
    with redis.Redis.from_url(own_redis.address, socket_timeout=0.3, retry=None) as client:
        client.set("key", 1)
        own_redis.pause()
        with pytest.raises(redis.TimeoutError):
            client.get("key")
        own_redis.resume()
        assert client.get("key") == b"1"


def test_postgres_keeps_its_data_over_a_kill_and_a_pause(parts: Parts, unique: str) -> None:
    server = parts.postgres
    database = create_database(server.address, unique)
    with psycopg.connect(database) as connection:
        connection.execute("CREATE TABLE t AS SELECT 7 AS n")
    server.kill()
    server.start()
    with psycopg.connect(database) as connection:
        server.pause()
        threading.Timer(0.3, server.resume).start()
        began = time.monotonic()
        assert connection.execute("SELECT n FROM t").fetchone() == (7,)
        assert time.monotonic() - began >= 0.25
    assert server.restart().running


def test_kafka_keeps_its_messages_over_a_kill(parts: Parts, unique: str) -> None:
    server = parts.kafka
    server.create_topic(unique, partitions=2)
    _produce(server.address, unique, b"one")
    server.kill()
    server.start()
    _produce(server.address, unique, b"two")
    assert _consume(server.address, unique, 2) == {b"one", b"two"}


def test_the_shared_servers_give_each_test_its_own_names(
    database: str, topic: str, kafka_server: SharedServer
) -> None:
    with psycopg.connect(database) as connection:
        tables = connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone()
    assert tables == (0,)
    _produce(kafka_server.address, topic, b"first")
    assert _consume(kafka_server.address, topic, 1) == {b"first"}


def test_a_server_started_in_a_thread_outlives_the_thread() -> None:
    server = RedisServer()
    thread = threading.Thread(target=server.start)
    thread.start()
    thread.join()
    with server:
        assert server.is_ready()


def test_servers_end_with_a_run_that_is_killed() -> None:
    source = (
        "from harness.servers import PostgresServer, RedisServer\n"
        "import os, signal\n"
        "servers = [RedisServer().start(), PostgresServer().start()]\n"
        "print(*[f'{server.pid}:{server.folder}' for server in servers], flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    run = subprocess.run([sys.executable, "-c", source], cwd=ROOT / "tests", capture_output=True, text=True)
    started = dict(line.split(":", 1) for line in run.stdout.split())
    assert len(started) == 2, run.stderr
    deadline = time.monotonic() + GONE_TIMEOUT_S
    while any(Path(f"/proc/{pid}").exists() for pid in started):
        assert time.monotonic() < deadline, f"still there: {started}"
        time.sleep(0.05)
    for folder in started.values():
        shutil.rmtree(folder)


def test_a_server_that_cannot_start_says_why() -> None:
    server = RedisServer(maxmemory_policy="nonsense")
    with pytest.raises(RuntimeError, match="nonsense"):
        server.start()
    server.close()


def test_with_servers_passes_addresses_and_the_exit_code() -> None:
    script = (
        "import os, redis\n"
        "redis.Redis.from_url(os.environ['SEONCHAK_TEST_REDIS']).ping()\n"
        "raise SystemExit(7)\n"
    )
    wrapper = [sys.executable, "-m", "harness.with_servers", "--only", "redis", "--"]
    run = subprocess.run([*wrapper, sys.executable, "-c", script], cwd=ROOT / "tests", check=False)
    assert run.returncode == 7


def _produce(brokers: str, topic: str, value: bytes) -> None:
    producer = Producer({"bootstrap.servers": brokers})
    producer.produce(topic, value)
    assert producer.flush(KAFKA_TIMEOUT_S) == 0


def _consume(brokers: str, topic: str, count: int) -> set[bytes]:
    consumer = Consumer({"bootstrap.servers": brokers, "group.id": topic, "auto.offset.reset": "earliest"})
    consumer.subscribe([topic])
    values: set[bytes] = set()
    deadline = time.monotonic() + KAFKA_TIMEOUT_S
    while len(values) < count and time.monotonic() < deadline:
        message = consumer.poll(0.5)
        if message is not None and message.error() is None:
            values.add(message.value())
    consumer.close()
    return values


class _Echo(BaseHTTPRequestHandler):
    """Answers with the user, and hangs up on the user named "cut"."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        user = self.headers["X-User-Id"]
        if user == "cut":
            self.close_connection = True
            return
        body = b'{"user":"%s"}' % user.encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def echo() -> Iterator[http.Address]:
    """The address of a small HTTP server."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Echo)
    thread = threading.Thread(target=lambda: server.serve_forever(poll_interval=0.02), daemon=True)
    thread.start()
    yield server.server_address
    server.shutdown()
    server.server_close()


def test_load_answers_in_the_order_of_the_requests(echo: http.Address) -> None:
    users = [f"u{n}" for n in range(500)]
    answers = http.load(echo, [http.issue("c", user) for user in users], connections=4, pipeline=16)
    assert answers == [http.Answer(200, {"user": user}) for user in users]


def test_load_marks_what_a_broken_connection_left_unanswered(echo: http.Address) -> None:
    users = ["a", "b", "cut", "c", "d", "e", "f", "g"]
    answers = http.load(echo, [http.issue("c", user) for user in users], connections=1, pipeline=4)
    assert [answer.status for answer in answers] == [200, 200, 0, 0, 200, 200, 200, 200]


def test_raw_sends_what_no_client_would(echo: http.Address) -> None:
    assert b" 400 " in http.raw(echo, b"NO SENSE AT ALL / X\r\n\r\n")


def test_call_returns_status_headers_and_body(echo: http.Address) -> None:
    reply = http.call(echo, "POST", "/", {"X-User-Id": "u"}, body={"a": 1})
    assert (reply.status, reply.json(), reply.headers["content-length"]) == (200, {"user": "u"}, "12")


def test_a_process_runs_in_a_session_of_its_own(own_redis: Process) -> None:
    assert os.getsid(own_redis.pid) == own_redis.pid
