"""The whole chain in virtual time: thousands of schedules with faults, and not one promise broken."""

import re
import subprocess

from harness.process import ROOT

SIMULATOR = ROOT / "build" / "release" / "seonchak-sim"
SCHEDULES = 20_000
TIMEOUT_S = 600


def play(*flags: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([SIMULATOR, *flags], capture_output=True, text=True, timeout=TIMEOUT_S, check=False)


def test_no_schedule_breaks_a_promise() -> None:
    run = play("--schedules", str(SCHEDULES), "--seed", "1")
    assert run.returncode == 0, run.stdout
    assert f"schedules {SCHEDULES} " in run.stdout
    recoveries = re.search(r"recoveries (\d+)", run.stdout)
    assert recoveries and int(recoveries[1]) > SCHEDULES // 10, "the faults must be there"


def test_a_seed_says_everything() -> None:
    counts = [
        re.sub(r" in .* a second", "", play("--schedules", "200", "--seed", "7").stdout) for _ in range(2)
    ]
    assert counts[0] == counts[1]
