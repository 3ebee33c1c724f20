"""`./dev bench compare PROGRAM`: this build and another one of the same program, in turns."""

import argparse
import sys
import time
from pathlib import Path
from typing import Any

from bench import persistence, table
from bench.generator import Load
from bench.lab import Lab, say
from bench.subjects import AlwaysWinners, ChainWinners, EmbeddedWinners, Healthz, Losers, RedisWinners
from bench.turns import in_turns, median, some_of, there_and_back

SUBJECTS = (Healthz, Losers, RedisWinners, ChainWinners, EmbeddedWinners, AlwaysWinners)
MEASURE_S = 15 * 60
BUILDS = ("the other", "this one")


def parse() -> argparse.Namespace:
    """The flags."""
    parser = argparse.ArgumentParser(prog="./dev bench compare", description=__doc__)
    parser.add_argument("program", type=Path, help="the other build, for example of the commit before")
    parser.add_argument("--rounds", type=int, default=5, help="turns over all (5)")
    parser.add_argument("--seconds", type=float, default=3.0, help="of each in a round (3)")
    parser.add_argument(
        "--rate", type=float, default=0, help="requests a second, due whatever the answers take"
    )
    parser.add_argument(
        "--rows", type=int, default=0, help="a consumer finds so many messages, also in turns"
    )
    names = [subject.name for subject in SUBJECTS]
    parser.add_argument("--only", default="winners-redis,winners-chain", help=f"some of {', '.join(names)}")
    options = parser.parse_args()
    options.only = some_of(parser, options.only, names)
    if not options.program.is_file():
        parser.error(f"{options.program} is no program")
    return options


def rows_in_turns(labs: dict[str, Lab], rounds: int, rows: int) -> dict[str, list[dict[str, Any]]]:
    """What a row costs a consumer that has many to save."""
    raw: dict[str, list[dict[str, Any]]] = {build: [] for build in labs}
    for number in range(1, rounds + 1):
        for build in there_and_back(list(labs), number):
            raw[build].append(persistence.catch_up(labs[build], rows))
            say(f"round {number} of {rounds}: rows ({build}) {raw[build][-1]['rate']:,.0f}/s")
    return raw


def ratios(title: str, raw: dict[str, list[dict[str, Any]]]) -> str:
    """Ours to the other, round by round: their medians, which a slow minute blurs less than the figures."""

    def flat(one: dict[str, Any]) -> dict[str, float]:
        latency = {"p99": one["load"]["latency_us"]["p99"]} if "load" in one else {}
        return {"rate": one["rate"], **latency, **{f"{name} CPU": us for name, us in one["cpu_us"].items()}}

    pairs = [(flat(ours), flat(theirs)) for theirs, ours in zip(*(raw[b] for b in BUILDS), strict=False)]
    each = [{key: ours[key] / theirs[key] for key in ours if theirs.get(key)} for ours, theirs in pairs]
    if not each:
        return f"{title}: no round of both"
    return f"{title}: " + "  ".join(f"{key} {value:.3f}" for key, value in median(each).items())


def main() -> int:
    """Runs both and prints their lines; 1 when something could not be measured."""
    options = parse()
    failed: dict[str, str] = {}
    subjects, titles = [], {}
    with Lab() as lab, Lab(program=options.program.resolve(), shared=lab) as other:
        labs = dict(zip(BUILDS, (other, lab), strict=True))
        for each in SUBJECTS:
            if each.name not in options.only:
                continue
            for build, where in labs.items():
                subject = each(where)
                subject.name = f"{each.name} ({build})"
                titles[subject.name] = f"{each.title}: {build}"
                subjects.append(subject)
        load = Load(seconds=options.seconds, rate=options.rate)
        medians, raw = in_turns(subjects, options.rounds, load, time.monotonic() + MEASURE_S, failed)
        rows: dict[str, list[dict[str, Any]]] = {}
        try:
            rows = rows_in_turns(labs, options.rounds, options.rows) if options.rows else {}
        except RuntimeError as error:
            failed["rows"] = str(error)
    lines = [*table.subjects(medians, titles), *table.others(medians, titles)]
    lines += [table.rows(f"rows by the consumer: {build}", median(all_of)) for build, all_of in rows.items()]
    lines.append("this one / the other, medians of the rounds' ratios")
    for each in SUBJECTS:
        of_both = {build: raw.get(f"{each.name} ({build})", []) for build in BUILDS}
        if each.name in options.only:
            lines.append(ratios(each.title, of_both))
    if rows:
        lines.append(ratios("rows by the consumer", rows))
    print("\n".join([*lines, *table.failures(failed)]))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
