"""./dev faults: seeds one after another, for some minutes or one alone.

python -m faults [--minutes N] [--seed S] [--scenario cluster]
"""

import argparse
import json
import logging
import random
import signal
import sys
import time
import traceback

from faults.outcome import Outcome, summary
from faults.run import replay, run
from faults.scenarios import SCENARIOS


def main() -> int:
    """The command line. Exit code 1: a promise was broken, or a seed could not be run."""
    parser = argparse.ArgumentParser(prog="./dev faults", description="Seeded fault tests.")
    parser.add_argument("--minutes", type=float, help="go on with the next seeds; without it one seed")
    parser.add_argument("--seed", type=int, help="the first seed; without it any")
    parser.add_argument("--scenario", choices=SCENARIOS, help="without it each in turn")
    parser.add_argument("--each", type=int, help="as the short run: so many seeds inflict every fault once")
    parser.add_argument("--trace", action="store_true", help="tell each step")
    arguments = parser.parse_args()
    if arguments.trace:
        logging.basicConfig(format="%(asctime)s %(message)s", level=logging.INFO)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    first = arguments.seed if arguments.seed is not None else random.randrange(1_000_000)
    scenarios = [arguments.scenario] if arguments.scenario else list(SCENARIOS)
    ends = time.monotonic() + 60 * (arguments.minutes or 0)
    outcomes: list[Outcome] = []
    errors = 0
    seed = first
    while seed == first or time.monotonic() < ends:
        for scenario in scenarios:
            try:
                outcome = run(SCENARIOS[scenario], seed, arguments.each)
            except Exception:
                errors += 1
                traceback.print_exc()
                command = replay(SCENARIOS[scenario], seed, arguments.each)
                print(f"could not be run: {command}", flush=True)
                continue
            outcomes.append(outcome)
            print(outcome.report() if outcome.breaches else outcome.line(), flush=True)
        seed += 1
    left_out = sorted({name for scenario in scenarios for name in SCENARIOS[scenario].left_out()})
    totals = summary(outcomes, left_out) | {"not_run": errors}
    print(json.dumps(totals), flush=True)
    return 1 if errors or totals["breaches"] else 0


if __name__ == "__main__":
    sys.exit(main())
