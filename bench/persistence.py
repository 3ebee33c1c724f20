"""How fast rows reach the database, and how far it lags behind."""

import itertools
import time
from typing import Any

import psycopg
from harness.seonchak import Seonchak

from bench import generator
from bench.cpu import CpuMeter
from bench.generator import Load
from bench.lab import Lab, counts, create, wait_for

LAG_RATE = 10_000
SAMPLE_S = 0.005
SAVE_TIMEOUT_S = 180.0
BURST_S = 120
COPY_BLOCK_ROWS = 5_000

NEWEST = """SELECT sequence, extract(epoch FROM clock_timestamp() - issued_at) * 1000 FROM user_coupon
            WHERE coupon_id = %s ORDER BY sequence DESC LIMIT 1"""

Connection = psycopg.Connection[tuple]


def newest(database: Connection, coupon: str) -> tuple[int, float]:
    """The highest sequence in the database and the milliseconds since it was issued."""
    row = database.execute(NEWEST, (coupon,)).fetchone()
    return (0, 0.0) if row is None else (row[0], float(row[1]))


def quantile(values: list[float], fraction: float) -> float:
    """The value below which this fraction lies."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(fraction * len(ordered)))]


def lag(lab: Lab, seconds: float) -> dict[str, Any]:
    """While winners come at a steady rate: how old the newest row in the database is, sampled all along."""
    database = lab.database("chain")
    load = Load(seconds=seconds, rate=LAG_RATE)
    coupon = create(lab.chain, lab.new_name("lag"))
    with generator.Run(generator.issue(lab.chain.port, coupon), load) as run:
        run.go()
        ages_ms = watch_age(database, coupon, seconds - 0.1)
        report = run.report()
    generator.expect(report, 201)
    drain(lab.chain, coupon)
    generator.on_time(report, load)
    if not ages_ms:
        raise RuntimeError(f"no row was saved in {seconds} s")
    return {
        "rate": report["rate"],
        "samples": len(ages_ms),
        **{f"p{percent}_ms": quantile(ages_ms, percent / 100) for percent in (50, 99)},
        "max_ms": max(ages_ms),
        "load": report,
    }


def watch_age(database: Connection, coupon: str, seconds: float) -> list[float]:
    """How old the newest row was, look after look; not from before the first one."""
    ages_ms = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        sequence, age_ms = newest(database, coupon)
        if sequence:
            ages_ms.append(age_ms)
        time.sleep(SAMPLE_S)
    return ages_ms


def drain(server: Seonchak, coupon: str) -> None:
    """Waits until all that was issued is saved."""

    def done() -> bool:
        now = counts(server, coupon)
        return now["persisted"] is not None and now["persisted"] >= now["issued"]

    if wait_for(done, SAVE_TIMEOUT_S) is None:
        raise RuntimeError(f"{coupon} was not saved in {SAVE_TIMEOUT_S} s: {counts(server, coupon)}")


def copy(lab: Lab, rows: int) -> dict[str, Any]:
    """COPY of `rows` winners in one statement into an empty table like user_coupon, with all its indexes."""
    assert lab.chain.running
    database = lab.database("chain")
    table = lab.new_name("copy").replace("-", "_")
    database.execute(f"CREATE TABLE {table} (LIKE user_coupon INCLUDING ALL)")
    lines = (
        f"copied\t{n}\tr0-{n:09}\t2026-11-22T03:00:00Z\tissued\t1\n".encode() for n in range(1, rows + 1)
    )
    blocks = []
    while block := b"".join(itertools.islice(lines, COPY_BLOCK_ROWS)):
        blocks.append(block)
    meter = CpuMeter({"postgres": lab.postgres})
    began = time.monotonic()
    with (
        database.cursor() as cursor,
        cursor.copy(
            f"COPY {table} (coupon_id, sequence, user_id, issued_at, status, epoch) FROM STDIN"
        ) as into,
    ):
        for block in blocks:
            into.write(block)
    elapsed = time.monotonic() - began
    cpu_us = meter.per_request_us(rows)
    database.execute(f"DROP TABLE {table}")
    return {"rate": rows / elapsed, "rows": rows, "cpu_us": cpu_us}


def catch_up(lab: Lab, rows: int) -> dict[str, Any]:
    """A consumer that finds `rows` messages in Kafka and an empty table: from its first row to its last."""
    name = lab.new_name("rows").replace("-", "_")
    redis = lab.new_redis()
    flags = lab.servers_of(redis, name, name)
    feeder = lab.serve(*flags, "--roles", "api,relay")
    coupon = create(feeder, name, rows)
    report = generator.run(generator.issue(feeder.port, coupon), Load(requests=rows))
    generator.expect(report, 201)
    if wait_for(lambda: counts(feeder, coupon)["published"] == rows, SAVE_TIMEOUT_S) is None:
        raise RuntimeError(f"not published: {counts(feeder, coupon)}")
    feeder.stop()
    database = lab.database(lab.prefix + name)
    consumer = Seonchak("--log-level", "warn", *flags, "--roles", "consumer", program=lab.program)
    began = time.monotonic()
    consumer.launch()
    try:
        result = _watch(lab, database, consumer, coupon, rows)
    finally:
        consumer.close()
        feeder.close()
        redis.close()
    return {"rows": rows, "first_row_s": result.pop("first_at") - began, **result}


def _watch(lab: Lab, database: Connection, consumer: Seonchak, coupon: str, rows: int) -> dict[str, Any]:
    meter = CpuMeter({"consumer": consumer, "kafka": lab.kafka, "postgres": lab.postgres})
    deadline = time.monotonic() + SAVE_TIMEOUT_S
    first, first_at = 0, 0.0
    while (now := newest(database, coupon)[0]) < rows:
        if now and not first:
            first, first_at = now, time.monotonic()
        if time.monotonic() > deadline:
            raise RuntimeError(f"{now} of {rows} rows after {SAVE_TIMEOUT_S} s:\n{consumer.log_tail()}")
        time.sleep(SAMPLE_S)
    if not first:
        raise RuntimeError(f"{rows} rows were saved between two looks: too few to tell a rate")
    return {
        "rate": (rows - first) / (time.monotonic() - first_at),
        "first_at": first_at,
        "cpu_us": meter.per_request_us(rows),
    }


def burst(lab: Lab, winners: int) -> dict[str, Any]:
    """A crowd at once; how long after its last answer the database has them all."""
    database = lab.database("chain")
    coupon = create(lab.chain, lab.new_name("burst"), winners)
    load = Load(seconds=BURST_S, requests=winners)
    report = generator.run(generator.issue(lab.chain.port, coupon), load)
    generator.expect(report, 201)
    if report["answers"] < winners:
        raise RuntimeError(f"{report['answers']:,} of {winners:,} were answered in {BURST_S} s")
    behind = winners - newest(database, coupon)[0]
    seconds = wait_for(lambda: newest(database, coupon)[0] >= winners, SAVE_TIMEOUT_S)
    return {
        "rate": report["rate"],
        "winners": winners,
        "behind_rows": behind,
        "seconds": seconds,
        "load": report,
    }
