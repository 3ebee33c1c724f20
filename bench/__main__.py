"""The command line of `./dev bench`: measures, prints the table, keeps the numbers."""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from harness.process import ROOT

from bench import generator, idle, persistence, table
from bench.aims import Results
from bench.generator import Load
from bench.lab import Lab, create, say
from bench.peer_subjects import SUBJECTS
from bench.subjects import WARM
from bench.turns import in_turns, median, some_of

RESULTS = ROOT / "bench" / "results"
PARTIAL = ROOT / "build" / "bench" / "results.json"
SINGLES = ("half-rate", "lag", "rows", "burst", "idle")
BURST_WINNERS = 1_000_000
# Bounded in requests, too: each winner is a row that the peer saves one by one. The broker is a JVM as well.
JVM_WARM = {
    "losers-spring": Load(seconds=20),
    "winners-spring": Load(seconds=15, requests=40_000),
    "winners-chain": Load(seconds=15),
}
JVM_WARM_QUICK = {"losers-spring": Load(seconds=4), "winners-spring": Load(seconds=2, requests=2_000)}

# No round begins after the first, nothing else after the second.
ROUNDS_S, ALL_S = 11 * 60, 17 * 60


def parse() -> argparse.Namespace:
    """The flags, with what --quick makes of them."""
    names = [subject.name for subject in SUBJECTS] + list(SINGLES)
    parser = argparse.ArgumentParser(prog="./dev bench", description="Measures everything side by side.")
    parser.add_argument("--rounds", type=int, help="turns over all subjects (5; quick: 1)")
    parser.add_argument("--seconds", type=float, help="of each subject in a round (4; quick: 1)")
    parser.add_argument("--rows", type=int, help="rows for COPY and the consumer (500,000; quick: 100,000)")
    parser.add_argument("--quick", action="store_true", help="to see that it works, in under three minutes")
    parser.add_argument("--only", default=",".join(names), help=f"some of {', '.join(names)}")
    parser.add_argument(
        "--out",
        type=Path,
        help="file for the results (bench/results/COMMIT.json if all was run, else build/bench/results.json)",
    )
    options = parser.parse_args()
    options.only = some_of(parser, options.only, names)
    options.rounds = options.rounds or (1 if options.quick else 5)
    options.seconds = options.seconds or (1.0 if options.quick else 4.0)
    options.rows = options.rows or (100_000 if options.quick else 500_000)
    return options


def half_rate(lab: Lab, peak: float, rounds: int, seconds: float) -> list[dict[str, Any]]:
    """Latency of the whole chain when requests come at half its peak rate, counted from when each was due."""
    results = []
    for _ in range(rounds):
        coupon = create(lab.chain, lab.new_name("half"))
        load = Load(seconds=seconds, rate=peak / 2)
        report = generator.run(generator.issue(lab.chain.port, coupon), load)
        generator.expect(report, 201)
        persistence.drain(lab.chain, coupon)
        generator.on_time(report, load)
        latency = {f"{key}_ms": value / 1e3 for key, value in report["latency_us"].items()}
        results.append({"rate": report["rate"], **latency, "load": report})
    return results


def singles(lab: Lab, options: argparse.Namespace, medians: Results) -> dict[str, Callable[[], Any]]:
    """What does not take turns, by the name of its results: a list with one entry per round."""
    few = min(3, options.rounds)
    work: dict[str, Callable[[], Any]] = {}
    if "half-rate" in options.only and "winners-chain" in medians:
        peak = medians["winners-chain"]["rate"]
        work["half-rate"] = lambda: half_rate(lab, peak, few, 2 * options.seconds)
    if "lag" in options.only:
        work["lag"] = lambda: [persistence.lag(lab, max(2.0, 2 * options.seconds)) for _ in range(few)]
    if "rows" in options.only:
        work["rows-copy"] = lambda: [persistence.copy(lab, options.rows) for _ in range(few)]
        work["rows-consumer"] = lambda: [persistence.catch_up(lab, options.rows) for _ in range(few)]
    if "burst" in options.only and not options.quick:
        work["burst"] = lambda: [persistence.burst(lab, BURST_WINNERS)]
    if "idle" in options.only:
        work["idle"] = lambda: [idle.idle(lab)]
    return work


def commit() -> str:
    """The commit that is measured, marked when the tree has changes."""
    described = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return described.stdout.strip() or "unknown"


def conditions(options: argparse.Namespace) -> dict[str, Any]:
    """What the figures depend on."""
    return {
        "commit": commit(),
        "rounds": options.rounds,
        "seconds": options.seconds,
        "rows": options.rows,
        "cores": len(os.sched_getaffinity(0)),
        "load average": round(os.getloadavg()[0], 1),
        **({"quick": "no figures to rely on"} if options.quick else {}),
    }


def keep(path: Path, document: dict[str, Any]) -> None:
    """Writes the results; only those of the last run stay."""
    path.parent.mkdir(parents=True, exist_ok=True)
    for old in RESULTS.glob("*.json") if path.parent == RESULTS else ():
        old.unlink()
    path.write_text(json.dumps(document, indent=1) + "\n")


def main() -> int:
    """Runs what was asked for and prints the table; 1 when something could not be measured."""
    options = parse()
    about = conditions(options)
    failed: dict[str, str] = {}
    warm = JVM_WARM_QUICK if options.quick else JVM_WARM
    began = time.monotonic()
    with Lab() as lab:
        chosen = [
            subject(lab, warm.get(subject.name, WARM)) for subject in SUBJECTS if subject.name in options.only
        ]
        medians, raw = in_turns(
            chosen, options.rounds, Load(seconds=options.seconds), began + ROUNDS_S, failed
        )
        for name, work in singles(lab, options, medians).items():
            say(f"measuring {name}")
            try:
                if time.monotonic() > began + ALL_S:
                    raise RuntimeError("no time was left")
                raw[name] = work()
                medians[name] = median(raw[name])
            except RuntimeError as error:
                failed[name] = str(error)
                say(f"{name} failed: {error}")
    titles = {subject.name: subject.title for subject in SUBJECTS}
    print("\n".join([table.report(medians, titles, about), *table.failures(failed)]))
    whole = not options.quick and len(options.only) == len(SUBJECTS) + len(SINGLES)
    keep(
        options.out or (RESULTS / f"{about['commit']}.json" if whole else PARTIAL),
        {"conditions": about, "medians": medians, "rounds": raw, "failed": failed},
    )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
