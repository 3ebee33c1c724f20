"""Many users over several coupons and servers: retries, duplicates side by side, refills and a close.

What a thread asks for comes from the seed; how the threads interleave does not.
"""

import itertools
import random
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from harness import http

from faults.history import NO_ANSWER, Ask, Change, History

PIPELINE_REQUESTS = 16
ANSWER_TIMEOUT_S = 4.0
PAUSE_WITHOUT_ANSWER_S = 0.05
NEW_USER_SHARE = 0.6
NEAR_USERS = 40
ABANDON_SHARE = 0.003
CHANGE_EVERY_S = 0.7
HOLDERS_ASKED_AGAIN_MAX = 4_000
AGAIN_THREADS = 24
PACE_S = 0.01

FAST_THREADS = 3
SLOW_THREADS = 6
SLOW_PIPELINE_REQUESTS = 4

Servers = dict[str, http.Address]


def to_ask(coupon: str, user: str, server: str, start: float, end: float, answer: http.Answer) -> Ask:
    """What an HTTP answer says."""
    body = answer.body or {}
    if answer.status == NO_ANSWER:
        return Ask(coupon, user, server, start, end, NO_ANSWER)
    if "result" not in body:
        return Ask(coupon, user, server, start, end, answer.status, body.get("code", "?"))
    matches = body.get("couponId") == coupon and body.get("userId") == user
    return Ask(
        coupon,
        user,
        server,
        start,
        end,
        answer.status,
        body["result"] if matches else "of_another",
        body["sequence"],
        body["issuedAt"],
        body.get("state") == "pending",
    )


class Workload:
    """Threads that ask until they are stopped; `history` is whole once `stop` has returned."""

    def __init__(self, seed: int, history: History, servers: Servers, close: str | None = None) -> None:
        self._seed = seed
        self._history = history
        self._servers = servers
        self._close = close
        self._ids = {coupon.id: itertools.count() for coupon in history.coupons}
        self._newest = {coupon.id: 0 for coupon in history.coupons}
        self._stop = threading.Event()
        self._asks: list[list[Ask]] = []
        self._threads: list[threading.Thread] = []
        self._failures: list[BaseException] = []
        self._decided = {coupon.id: 0.0 for coupon in history.coupons}

    def start(self) -> None:
        """Begins to ask."""
        fast = [coupon.id for coupon in self._history.coupons if coupon.ack == "gate"]
        slow = [coupon.id for coupon in self._history.coupons if coupon.ack != "gate"]
        for server in self._servers:
            for coupons, threads, pipeline in (
                (fast, FAST_THREADS, PIPELINE_REQUESTS),
                (slow, SLOW_THREADS, SLOW_PIPELINE_REQUESTS),
            ):
                for _ in range(threads if coupons else 0):
                    asks: list[Ask] = []
                    self._asks.append(asks)
                    rng = random.Random(f"{self._seed}/{len(self._asks)}")
                    self._run(self._press, server, coupons, pipeline, rng, asks)
        self._run(self._change, random.Random(f"{self._seed}/changes"))

    def stop(self) -> None:
        """Waits for the requests in flight, and puts everything into the history."""
        self._stop.set()
        for thread in self._threads:
            thread.join()
        if self._failures:
            raise self._failures[0]
        for asks in self._asks:
            self._history.asks += asks

    def wait_decided(self, since: float, timeout_s: float) -> bool:
        """Waits until each coupon has decided for somebody who asked after `since`."""
        deadline = time.time() + timeout_s
        while min(self._decided.values()) < since:
            if time.time() > deadline or self._failures:
                return False
            time.sleep(PAUSE_WITHOUT_ANSWER_S)
        return True

    def _run(self, work: object, *arguments: object) -> None:
        def guarded() -> None:
            try:
                work(*arguments)  # type: ignore[operator]
            except BaseException as error:
                self._failures.append(error)

        thread = threading.Thread(target=guarded, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _user(self, coupon: str, rng: random.Random) -> str:
        if rng.random() < NEW_USER_SHARE:
            number = self._newest[coupon] = next(self._ids[coupon])
        elif rng.random() < 0.5:
            # Somebody who is being answered at this moment, maybe by the other server.
            number = max(0, self._newest[coupon] - rng.randrange(NEAR_USERS))
        else:
            number = rng.randint(0, self._newest[coupon])
        return f"u{number}"

    def _press(
        self, server: str, coupons: Sequence[str], pipeline: int, rng: random.Random, asks: list[Ask]
    ) -> None:
        connection = http.Connection(self._servers[server], ANSWER_TIMEOUT_S)
        while not self._stop.is_set():
            pairs = []
            for _ in range(rng.randint(1, pipeline)):
                coupon = rng.choice(coupons)
                pairs.append((coupon, self._user(coupon, rng)))
                if rng.random() < 0.05:
                    pairs.append(pairs[-1])
            abandon = rng.random() < ABANDON_SHARE
            before = len(asks)
            ask_group(connection, server, pairs, asks, abandon)
            for ask in asks[before:]:
                if ask.decided:
                    self._decided[ask.coupon] = ask.start
            time.sleep(PACE_S if any(ask.status for ask in asks[before:]) else PAUSE_WITHOUT_ANSWER_S)
        connection.close()

    def _change(self, rng: random.Random) -> None:
        """Raises and lowers stocks, one change at a time, and closes one coupon in the end."""
        stocks = {coupon.id: coupon.stock for coupon in self._history.coupons}
        closed = False
        count = 0
        while not self._stop.wait(CHANGE_EVERY_S):
            count += 1
            server = rng.choice(list(self._servers))
            coupon = rng.choice(list(stocks))
            if self._close is not None and not closed and count >= 12:
                closed = self.change(server, self._close, None)
                stocks.pop(self._close, None) if closed else None
                continue
            by = rng.randint(50, 1_500) if rng.random() < 0.75 else -rng.randint(1, 400)
            wanted = max(1, stocks[coupon] + by)
            if self.change(server, coupon, wanted):
                stocks[coupon] = wanted

    def change(self, server: str, coupon: str, stock: int | None) -> bool:
        """One PATCH of the stock, or a close. Whether it was done for certain."""
        start = time.time()
        status = NO_ANSWER
        target = f"/v1/coupons/{coupon}" + ("/close" if stock is None else "")
        method = "POST" if stock is None else "PATCH"
        request = http.encode(method, target, body=None if stock is None else {"stock": stock})
        connection = http.Connection(self._servers[server], ANSWER_TIMEOUT_S)
        for answer in connection.answers([request]):
            status = answer.status
        connection.close()
        change = Change(coupon, stock, start, time.time(), status)
        self._history.changes.append(change)
        return change.done


def ask_group(
    connection: http.Connection,
    server: str,
    pairs: Sequence[tuple[str, str]],
    asks: list[Ask],
    abandon: bool = False,
) -> None:
    """Asks for (coupon, user) pairs on one connection and appends what came of each.

    With `abandon` the connection is closed without reading. Requests that never left are not recorded.
    """
    group = [http.issue(coupon, user) for coupon, user in pairs]
    start = time.time()
    if not connection.send(group):
        return
    if abandon:
        connection.close()
    answered = 0
    for (coupon, user), answer in zip(pairs, connection.receive(len(group)), strict=False):
        asks.append(to_ask(coupon, user, server, start, time.time(), answer))
        answered += 1
    for coupon, user in pairs[answered:]:
        asks.append(to_ask(coupon, user, server, start, time.time(), http.Answer(NO_ANSWER)))


def ask_again(
    history: History, servers: Servers, rng: random.Random, deadline: float
) -> list[tuple[str, str]]:
    """Asks once more for everybody who was left in doubt, and for many who hold a coupon.

    Returns those who have no decision at the deadline.
    """
    decided = {(ask.coupon, ask.user) for ask in history.asks if ask.decided}
    doubtful = sorted({(ask.coupon, ask.user) for ask in history.asks} - decided)
    holding = sorted({(ask.coupon, ask.user) for ask in history.asks if ask.held})
    waiting = doubtful + rng.sample(holding, min(len(holding), HOLDERS_ASKED_AGAIN_MAX))
    names = list(servers)
    while waiting and time.time() < deadline:
        parts = [(names[n % len(names)], waiting[n::AGAIN_THREADS]) for n in range(AGAIN_THREADS)]
        with ThreadPoolExecutor(AGAIN_THREADS) as pool:
            answers = list(pool.map(lambda part: _ask_all(servers[part[0]], *part), parts))
        history.asks += [ask for asks in answers for ask in asks]
        known = {(ask.coupon, ask.user) for asks in answers for ask in asks if ask.decided}
        waiting = [pair for pair in waiting if pair not in known]
        names.reverse()
        if waiting:
            time.sleep(PAUSE_WITHOUT_ANSWER_S)
    return waiting


def _ask_all(address: http.Address, server: str, pairs: Sequence[tuple[str, str]]) -> list[Ask]:
    connection = http.Connection(address, ANSWER_TIMEOUT_S)
    asks: list[Ask] = []
    for start in range(0, len(pairs), PIPELINE_REQUESTS):
        ask_group(connection, server, pairs[start : start + PIPELINE_REQUESTS], asks)
    connection.close()
    return asks
