"""`./dev bench compare PROGRAM`: this build and another one of the same program, in turns."""

import argparse
import sys
import time
from pathlib import Path

from bench import table
from bench.generator import Load
from bench.lab import Lab
from bench.subjects import AlwaysWinners, ChainWinners, EmbeddedWinners, Healthz, Losers, RedisWinners
from bench.turns import in_turns, some_of

SUBJECTS = (Healthz, Losers, RedisWinners, ChainWinners, EmbeddedWinners, AlwaysWinners)
MEASURE_S = 15 * 60


def parse() -> argparse.Namespace:
    """The flags."""
    parser = argparse.ArgumentParser(prog="./dev bench compare", description=__doc__)
    parser.add_argument("program", type=Path, help="the other build, for example of the commit before")
    parser.add_argument("--rounds", type=int, default=5, help="turns over all (5)")
    parser.add_argument("--seconds", type=float, default=3.0, help="of each in a round (3)")
    names = [subject.name for subject in SUBJECTS]
    parser.add_argument("--only", default="winners-redis,winners-chain", help=f"some of {', '.join(names)}")
    options = parser.parse_args()
    options.only = some_of(parser, options.only, names)
    if not options.program.is_file():
        parser.error(f"{options.program} is no program")
    return options


def main() -> int:
    """Runs both and prints their lines; 1 when something could not be measured."""
    options = parse()
    failed: dict[str, str] = {}
    subjects, titles = [], {}
    with Lab() as lab, Lab(program=options.program.resolve(), shared=lab) as other:
        for each in SUBJECTS:
            if each.name not in options.only:
                continue
            for where, build in ((other, "the other"), (lab, "this one")):
                subject = each(where)
                subject.name = f"{each.name} ({build})"
                titles[subject.name] = f"{each.title}: {build}"
                subjects.append(subject)
        load = Load(seconds=options.seconds)
        medians, _ = in_turns(subjects, options.rounds, load, time.monotonic() + MEASURE_S, failed)
    print("\n".join([*table.subjects(medians, titles), *table.failures(failed)]))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
