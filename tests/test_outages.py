"""What users see while a part is away, and that it heals by itself."""

import time

import pytest
from harness import coupons, http
from harness.parts import Parts
from harness.process import Process
from harness.seonchak import Seonchak, Serve
from harness.servers import RedisServer, SharedServer
from harness.shop import Shop
from harness.wait import eventually


def persisted(server: Seonchak) -> int:
    return coupons.view(server, "c")["persisted"]


def issue_while_away(server: Seonchak, part: Process) -> None:
    """The part is killed before."""
    coupons.create(server, "c", 100)
    part.kill()
    answers = [coupons.issue(server, "c", user) for user in coupons.users("u", 20)]
    assert [answer.status for answer in answers] == [201] * 20


def wait_caught_up(server: Seonchak, database: str) -> None:
    eventually(lambda: persisted(server) == 20, "what was issued meanwhile is saved")
    assert coupons.rows(database, "c") == {user: n for n, user in enumerate(coupons.users("u", 20), 1)}


def test_issuing_goes_on_while_the_database_is_away(shop_on_parts: Shop, parts: Parts) -> None:
    server = shop_on_parts.start()
    issue_while_away(server, parts.postgres)
    coupons.wait_degraded(server, "store")
    parts.postgres.restart()
    wait_caught_up(server, shop_on_parts.database)


@pytest.mark.timeout(180)
def test_issuing_goes_on_while_kafka_is_away(shop_on_parts: Shop, parts: Parts) -> None:
    server = shop_on_parts.start()
    issue_while_away(server, parts.kafka)
    parts.kafka.restart()
    wait_caught_up(server, shop_on_parts.database)


def test_without_redis_the_answer_is_503_and_it_heals(
    serve: Serve, kafka_server: SharedServer, topic: str, database: str
) -> None:
    with RedisServer(appendfsync="always") as redis:
        shop = Shop(serve, redis.address, f"kafka://{kafka_server.address}/{topic}", database, topic)
        server = shop.start()
        coupons.create(server, "c", 2)
        assert coupons.issue(server, "c", "a").status == 201
        redis.kill()
        answer = coupons.issue(server, "c", "b")
        assert (answer.status, answer.json()["code"]) == (503, "unavailable")
        assert int(answer.headers["retry-after"]) >= 1
        redis.restart()
        assert coupons.answer(server, "c", "b").json()["sequence"] == 2
        # Each event loop has a connection of its own, which heals by itself.
        assert coupons.answer(server, "c", "a").json()["sequence"] == 1


@pytest.mark.parametrize("role", ["relay", "consumer"])
def test_a_killed_relay_or_consumer_loses_nothing(shop: Shop, role: str) -> None:
    other = {"relay": "consumer", "consumer": "relay"}[role]
    api = shop.start(f"api,{other}")
    victim = shop.start(role)
    coupons.create(api, "c", 3_000)
    requests = [http.issue("c", f"u{n}") for n in range(3_000)]
    answers = http.load(api.address, requests[:2_000])
    victim.kill9()
    answers += http.load(api.address, requests[2_000:])
    assert {answer.status for answer in answers} == {201}
    victim.restart()
    eventually(lambda: persisted(api) == 3_000, "it catches up")
    held = {f"u{n}": answer.body["sequence"] for n, answer in enumerate(answers)}
    assert coupons.rows(shop.database, "c") == held


def test_sigterm_finishes_what_is_in_flight(serve: Serve) -> None:
    server = serve("--store", "sqlite:stop.db")
    coupons.create(server, "c", 10_000)
    assert {
        a.status for a in http.load(server.address, [http.issue("c", f"u{n}") for n in range(2_000)])
    } == {201}
    began = time.monotonic()
    assert server.stop() == 0
    assert time.monotonic() - began < 10
    server.start()
    assert persisted(server) == 2_000
