"""After the last coupon: who comes late costs Redis nothing, holders get theirs, and a refill is heard of."""

import threading
import time

from harness import coupons, http
from harness.recovery import COUPON, STOCK, Sale
from harness.seonchak import Seonchak
from harness.servers import RedisServer

LEARNED_S = 10.0
IN_FORCE_S = 10.0
CROWD = 3_000
REFILLS = 6
# Of strangers the filter lets about one in five hundred ask, and of all who ask one a second and process;
# beside them only what watches the server calls.
CLAIMS_MAX = CROWD // 50


def refused_from_memory(server: Seonchak) -> float:
    return server.metrics()["seonchak_refused_from_memory_total"]


def wait_learned(sale: Sale, server: Seonchak) -> None:
    """Until this process refuses by itself."""
    before = refused_from_memory(server)
    deadline = time.monotonic() + LEARNED_S
    number = 0
    while refused_from_memory(server) == before:
        assert time.monotonic() < deadline
        number += 1
        assert sale.issue(server, f"early{number}").status == 409
        time.sleep(0.02)


def patch_stock(server: Seonchak, stock: int) -> None:
    reply = http.call(server.address, "PATCH", f"/v1/coupons/{COUPON}", body={"stock": stock})
    assert reply.status == 200, reply.text


def test_losers_do_not_reach_redis_and_holders_do(sale: Sale, own_redis: RedisServer) -> None:
    servers = [sale.start(), sale.start("api")]
    sale.create(servers[0])
    issued = sale.issue_all(servers[0], 0, STOCK)
    sale.wait_until(servers[0], "persisted", STOCK)
    for server in servers:
        wait_learned(sale, server)
    before = own_redis.scripts_run()
    for number, server in enumerate(servers):
        crowd = [http.issue(COUPON, f"loser-{number}-{n}") for n in range(CROWD // 2)]
        answers = http.load(server.address, crowd, connections=4)
        assert {(answer.status, answer.body["code"]) for answer in answers} == {(409, "sold_out")}
    watching = before + CLAIMS_MAX
    assert own_redis.scripts_run() < watching
    for server in servers:
        for user, sequence in issued.items():
            reply = sale.issue(server, user)
            assert (reply.status, reply.json()["sequence"]) == (200, sequence)


def test_a_closed_coupon_and_one_that_is_not_open_are_refused_from_memory(sale: Sale) -> None:
    server = sale.start()
    sale.create(server)
    assert http.call(server.address, "POST", f"/v1/coupons/{COUPON}/close").status == 200
    coupons.create(server, "later", 1, opensAt="2999-01-01T00:00:00Z")
    for coupon, code in ((COUPON, "closed"), ("later", "not_open")):
        before = refused_from_memory(server)
        deadline = time.monotonic() + LEARNED_S
        while refused_from_memory(server) == before:
            assert time.monotonic() < deadline
            reply = coupons.issue(server, coupon, "u")
            assert (reply.status, reply.json()["code"]) == (403, code)


def test_a_refill_is_heard_of_everywhere_and_nobody_is_denied_what_he_has(
    sale: Sale,
) -> None:
    """Users ask one process, then the other, while the stock is raised again and again."""
    servers = [sale.start(), sale.start("api")]
    sale.create(servers[0])
    sale.issue_all(servers[0], 0, STOCK)
    stop = threading.Event()
    contradictions: list[str] = []
    winners: list[str] = []

    def ask(number: int) -> None:
        first, second = servers[number % 2], servers[(number + 1) % 2]
        turn = 0
        while not stop.is_set():
            turn += 1
            user = f"r{number}-{turn}"
            if sale.issue(first, user).status != 201:
                continue
            winners.append(user)
            again = sale.issue(second, user)
            if again.status != 200:
                contradictions.append(f"{user}: {again.status} {again.text}")

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    try:
        for refill in range(1, REFILLS + 1):
            for server in servers:
                wait_learned(sale, server)
            patch_stock(servers[0], STOCK + 2 * refill)
            deadline = time.monotonic() + IN_FORCE_S
            while len(winners) < 2 * refill and time.monotonic() < deadline:
                time.sleep(0.01)
            assert len(winners) == 2 * refill
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert contradictions == []
