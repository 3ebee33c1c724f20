"""What users see while a part is away, and that it heals by itself."""

import time
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from harness import http
from harness.seonchak import Seonchak, Serve
from harness.servers import KafkaServer, PostgresServer, RedisServer, SharedServer

SETTLE_S = 30.0


def issue(server: Seonchak, coupon: str, user: str) -> http.Reply:
    return http.call(server.address, "POST", f"/v1/coupons/{coupon}/issue", {"X-User-Id": user})


def eventually(check: Callable[[], Any], what: str) -> Any:
    deadline = time.monotonic() + SETTLE_S
    while not (result := check()):
        assert time.monotonic() < deadline, what
        time.sleep(0.1)
    return result


def in_force(reply: http.Reply) -> http.Reply | None:
    """The reply, unless it is a 503."""
    return None if reply.status == 503 else reply


def create(server: Seonchak, **fields: Any) -> None:
    reply = http.call(server.address, "POST", "/v1/coupons", body={"name": "Test", **fields})
    assert reply.status == 201, reply.text


def persisted(server: Seonchak, coupon: str) -> int:
    return http.call(server.address, "GET", f"/v1/coupons/{coupon}").json()["persisted"]


def rows(database: str, coupon: str) -> list[tuple[str, int]]:
    with psycopg.connect(database) as connection:
        query = "SELECT user_id, sequence FROM user_coupon WHERE coupon_id = %s ORDER BY sequence"
        return connection.execute(query, [coupon]).fetchall()


def test_issuing_goes_on_while_the_database_is_away(
    serve: Serve, own_redis: RedisServer, kafka_server: SharedServer, topic: str
) -> None:
    with PostgresServer() as postgres:
        database = postgres.url("postgres")
        kafka = f"kafka://{kafka_server.address}/{topic}"
        server = serve("--gate", own_redis.address, "--log", kafka, "--store", database, "--log-group", topic)
        create(server, id="c", stock=100)
        postgres.kill()
        answers = [issue(server, "c", f"u{n}") for n in range(20)]
        assert [answer.status for answer in answers] == [201] * 20
        ready = eventually(
            lambda: (
                (reply := http.call(server.address, "GET", "/readyz")).json()["status"] == "degraded"
                and reply
            ),
            "readyz does not notice",
        )
        assert ready.status == 200
        postgres.restart()
        eventually(lambda: persisted(server, "c") == 20, "the store does not catch up")
        assert rows(database, "c") == [(f"u{n}", n + 1) for n in range(20)]


@pytest.mark.timeout(180)
def test_issuing_goes_on_while_kafka_is_away(
    serve: Serve, own_redis: RedisServer, database: str, unique: str
) -> None:
    with KafkaServer() as kafka:
        log = f"kafka://{kafka.address}/{unique}"
        server = serve("--gate", own_redis.address, "--log", log, "--store", database)
        create(server, id="c", stock=100)
        kafka.kill()
        answers = [issue(server, "c", f"u{n}") for n in range(20)]
        assert [answer.status for answer in answers] == [201] * 20
        kafka.restart()
        eventually(lambda: persisted(server, "c") == 20, "the log does not catch up")
        assert rows(database, "c") == [(f"u{n}", n + 1) for n in range(20)]


def test_without_redis_the_answer_is_503_and_it_heals(
    serve: Serve, kafka_server: SharedServer, topic: str, database: str
) -> None:
    with RedisServer(appendfsync="always") as redis:
        kafka = f"kafka://{kafka_server.address}/{topic}"
        server = serve("--gate", redis.address, "--log", kafka, "--store", database, "--log-group", topic)
        create(server, id="c", stock=2)
        assert issue(server, "c", "a").status == 201
        redis.kill()
        answer = issue(server, "c", "b")
        assert (answer.status, answer.json()["code"]) == (503, "unavailable")
        assert int(answer.headers["retry-after"]) >= 1
        redis.restart()
        healed = eventually(lambda: in_force(issue(server, "c", "b")), "it does not heal")
        assert healed.json()["sequence"] == 2
        # Each event loop has a connection of its own, which heals by itself.
        again = eventually(lambda: in_force(issue(server, "c", "a")), "it does not heal")
        assert again.json()["sequence"] == 1


@pytest.mark.parametrize("role", ["relay", "consumer"])
def test_a_killed_relay_or_consumer_loses_nothing(
    serve: Serve, own_redis: RedisServer, kafka_server: SharedServer, topic: str, database: str, role: str
) -> None:
    kafka = f"kafka://{kafka_server.address}/{topic}"
    flags = ["--gate", own_redis.address, "--log", kafka, "--store", database, "--log-group", topic]
    other = {"relay": "consumer", "consumer": "relay"}[role]
    api = serve(*flags, "--roles", f"api,{other}")
    victim = serve(*flags, "--roles", role)
    create(api, id="c", stock=3_000)
    requests = [http.issue("c", f"u{n}") for n in range(3_000)]
    answers = http.load(api.address, requests[:2_000])
    victim.kill9()
    answers += http.load(api.address, requests[2_000:])
    assert {answer.status for answer in answers} == {201}
    victim.restart()
    eventually(lambda: persisted(api, "c") == 3_000, "it does not catch up")
    held = {f"u{n}": answer.body["sequence"] for n, answer in enumerate(answers)}
    assert dict(rows(database, "c")) == held


def test_sigterm_finishes_what_is_in_flight(serve: Serve) -> None:
    server = serve("--store", "sqlite:stop.db")
    create(server, id="c", stock=10_000)
    assert {
        a.status for a in http.load(server.address, [http.issue("c", f"u{n}") for n in range(2_000)])
    } == {201}
    began = time.monotonic()
    assert server.stop() == 0
    assert time.monotonic() - began < 10
    server.start()
    assert persisted(server, "c") == 2_000
