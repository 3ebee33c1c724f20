"""`./dev bench growth`: the same work with more of everything, as curves in docs/performance/."""

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

from harness.process import ROOT
from harness.servers import RedisServer

from bench import generator, persistence
from bench.cpu import CpuMeter, rss_bytes
from bench.generator import Load, Target
from bench.lab import Lab, create, say
from bench.subjects import (
    ChainWinners,
    EmbeddedWinners,
    Healthz,
    Losers,
    RedisWinners,
    Subject,
    Winners,
    wait_refusing,
)
from bench.svg import plot

FOLDER = ROOT / "docs" / "performance"
CONNECTIONS = (64, 256, 1_000, 4_000, 10_000)
COUPONS = (1, 10, 100, 1_000)
STOCKS = (1_000, 10_000, 100_000, 1_000_000)
LARGE_STOCK = 5_000_000
LEARN_TIMEOUT_S = 30.0

Row = dict[str, Any]


def row(x: int, result: dict[str, Any]) -> Row:
    """What is kept of one measurement."""
    latency = result["load"]["latency_us"]
    kept = {"x": x, "rate": result["rate"], "p99_ms": latency["p99"] / 1e3, "cpu_us": result["cpu_us"]}
    return {**kept, **{key: result[key] for key in ("batch", "drained_s") if result.get(key) is not None}}


def by_connections(lab: Lab, seconds: float) -> dict[str, list[Row]]:
    """One server, more and more connections that all ask at once."""
    curves: dict[str, list[Row]] = {}
    every = (Healthz, Losers, RedisWinners, ChainWinners, EmbeddedWinners)
    for subject in (each(lab) for each in every):
        subject.prepare()
        for connections in CONNECTIONS:
            result = subject.measure(Load(seconds=seconds, connections=connections))
            curves.setdefault(subject.title, []).append(row(connections, result))
            say(f"{subject.name}, {connections} connections: {result['rate']:,.0f}/s")
    return curves


class Many(Winners):
    """Winners of many coupons in turns."""

    count = 1

    def target(self) -> Target:
        start = self.lab.new_name("many")
        self.coupons = [create(self.server(), f"{start}-{number}") for number in range(self.count)]
        return generator.issue(self.server().port, start + "-{coupon}", self.count)


class ManyOnRedis(Many, RedisWinners):
    """Decided only."""


class ManyOnChain(Many, ChainWinners):
    """Decided, published and saved."""

    def settle(self) -> dict[str, Any]:
        began = time.monotonic()
        for coupon in self.coupons:
            persistence.drain(self.server(), coupon)
        return {"drained_s": time.monotonic() - began}


def by_coupons(lab: Lab, seconds: float) -> dict[str, list[Row]]:
    """The same crowd over more and more coupons."""
    curves: dict[str, list[Row]] = {}
    for subject in (ManyOnRedis(lab), ManyOnChain(lab)):
        subject.prepare()
        for count in COUPONS:
            subject.count = count
            result = subject.measure(Load(seconds=seconds))
            curves.setdefault(subject.title, []).append(row(count, result))
            say(f"{subject.name}, {count} coupons: {result['rate']:,.0f}/s")
    return curves


def used_memory(redis: RedisServer) -> int:
    """Bytes that Redis has allocated."""
    with redis.client() as client:
        return int(client.info("memory")["used_memory"])


def one_stock(lab: Lab, stock: int) -> Row:
    """A coupon from its first winner to its last through the whole chain, and what is left in memory."""
    chain, redis = lab.chain, lab.redis_chain
    late = lab.serve(*lab.servers_of(redis, "chain", "chain"), "--roles", "api")
    empty = used_memory(redis)
    coupon = create(chain, lab.new_name("stock"), stock)
    meter = CpuMeter({"server": chain, "redis": redis, "kafka": lab.kafka, "postgres": lab.postgres})
    report = generator.run(generator.issue(chain.port, coupon), Load(requests=stock))
    generator.expect(report, 201)
    began = time.monotonic()
    persistence.drain(chain, coupon)
    drained_s = time.monotonic() - began
    cpu_us = meter.per_request_us(stock)
    in_redis = used_memory(redis) - empty
    alone = rss_bytes(late.pid)
    wait_refusing(late, coupon, LEARN_TIMEOUT_S)
    in_api = rss_bytes(late.pid) - alone
    late.close()
    return {
        "x": stock,
        "rate": report["rate"],
        "p99_ms": report["latency_us"]["p99"] / 1e3,
        "cpu_us": cpu_us,
        "drained_s": drained_s,
        "redis_bytes_per_winner": in_redis / stock,
        "api_bytes_per_winner": in_api / stock,
    }


def by_stock(lab: Lab, stocks: tuple[int, ...]) -> dict[str, list[Row]]:
    """Larger and larger coupons."""
    rows = []
    for stock in stocks:
        rows.append(one_stock(lab, stock))
        say(f"stock {stock}: {rows[-1]}")
    return {ChainWinners.title: rows}


def by_threads(seconds: float) -> dict[str, list[Row]]:
    """One thread, then two; the generator shares the cores with them."""
    curves: dict[str, list[Row]] = {}
    for threads in (1, 2):
        with Lab(threads=threads) as lab:
            subjects: tuple[Subject, ...] = (Healthz(lab), Losers(lab), RedisWinners(lab))
            for subject in subjects:
                subject.prepare()
                result = subject.measure(Load(seconds=seconds))
                curves.setdefault(subject.title, []).append(row(threads, result))
                say(f"{subject.name}, {threads} threads: {result['rate']:,.0f}/s")
    return curves


def draw(folder: Path, name: str, x_label: str, curves: dict[str, list[Row]]) -> None:
    """Two plots: answers per second, and the CPU of the server and of Redis per answer."""
    rates = {title: [(one["x"], one["rate"]) for one in rows] for title, rows in curves.items()}
    (folder / f"{name}-rate.svg").write_text(plot("answers per second", x_label, rates))
    costs = {title: [(one["x"], one["cpu_us"]["server"]) for one in rows] for title, rows in curves.items()}
    (folder / f"{name}-cpu.svg").write_text(plot("server CPU per answer, microseconds", x_label, costs))


def draw_memory(folder: Path, rows: list[Row]) -> None:
    """Bytes per winner. The smallest stocks are left out: there a page weighs more than the holders."""
    large = [one for one in rows if one["x"] >= 10_000]
    series = {
        "in Redis": [(one["x"], one["redis_bytes_per_winner"]) for one in large],
        "in an API process": [(one["x"], one["api_bytes_per_winner"]) for one in large],
    }
    if large:
        (folder / "stock-memory.svg").write_text(plot("bytes per winner after the sale", "stock", series))


def main() -> int:
    """Measures, draws and keeps the points."""
    parser = argparse.ArgumentParser(prog="./dev bench growth", description="Curves instead of points.")
    parser.add_argument("--seconds", type=float, default=4.0, help="of each point")
    parser.add_argument("--large", action="store_true", help="also a stock of 5,000,000")
    parser.add_argument("--stock-max", type=int, default=STOCKS[-1], help="leave out larger stocks")
    parser.add_argument("--only", default="connections,coupons,stock,threads", help="some of them")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where the plots and growth.json go")
    options = parser.parse_args()
    stocks = tuple(stock for stock in STOCKS if stock <= options.stock_max)
    stocks += (LARGE_STOCK,) if options.large else ()
    wanted = options.only.split(",")
    points: dict[str, dict[str, list[Row]]] = {}
    with Lab() as lab:
        if "connections" in wanted:
            points["connections"] = by_connections(lab, options.seconds)
        if "coupons" in wanted:
            points["coupons"] = by_coupons(lab, options.seconds)
        if "stock" in wanted:
            points["stock"] = by_stock(lab, stocks)
    if "threads" in wanted:
        points["threads"] = by_threads(options.seconds)
    options.folder.mkdir(parents=True, exist_ok=True)
    for name, curves in points.items():
        draw(options.folder, name, name, curves)
    if "stock" in points:
        draw_memory(options.folder, points["stock"][ChainWinners.title])
    (options.folder / "growth.json").write_text(json.dumps(points, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
