"""The whole chain in virtual time: thousands of schedules with faults, and not one promise broken."""

import re
import subprocess
from concurrent.futures import ThreadPoolExecutor

from harness.process import ROOT

SIMULATOR = ROOT / "build" / "release" / "seonchak-sim"
SCHEDULES = 20_000
PARTS = 2
TIMEOUT_S = 600


def play(*flags: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([SIMULATOR, *flags], capture_output=True, text=True, timeout=TIMEOUT_S, check=False)


def test_no_schedule_breaks_a_promise() -> None:
    """In parts, side by side: the simulator has one thread."""
    part = SCHEDULES // PARTS
    with ThreadPoolExecutor(PARTS) as pool:
        firsts = range(1, SCHEDULES + 1, part)
        runs = list(pool.map(lambda first: play("--schedules", str(part), "--seed", str(first)), firsts))
    assert len(runs) == PARTS
    recoveries = 0
    for run in runs:
        assert run.returncode == 0, run.stdout
        assert f"schedules {part} " in run.stdout
        counted = re.search(r"recoveries (\d+)", run.stdout)
        assert counted
        recoveries += int(counted[1])
    assert recoveries > SCHEDULES // 10, "the faults must be there"


def test_a_seed_says_everything() -> None:
    counts = [
        re.sub(r" in .* a second", "", play("--schedules", "200", "--seed", "7").stdout) for _ in range(2)
    ]
    assert counts[0] == counts[1]
