"""What came of runs: one line for each seed, and totals as JSON."""

import statistics
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any

from faults.case import Breach
from faults.checker import allowed_losses, check, times_to_recover
from faults.history import Contents, History


@dataclass
class Outcome:
    """One seed, judged."""

    scenario: str
    seed: int
    seconds: float
    answers: int
    acknowledged: int
    breaches: list[Breach]
    replay: str
    allowed_losses: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    recoveries: list[tuple[str, float]] = field(default_factory=list)
    take_overs_s: list[float] = field(default_factory=list)

    def line(self) -> str:
        """A line for people."""
        found = ", ".join(sorted({breach.kind for breach in self.breaches})) or "no breach"
        return (
            f"{self.scenario} seed {self.seed}: {self.seconds:.0f} s, {sum(self.faults.values())} faults, "
            f"{self.acknowledged} acknowledged of {self.answers} answers: {found}"
        )

    def report(self) -> str:
        """Every breach, and how to see it again."""
        lines = [f"{breach.kind}: {breach.text}" for breach in self.breaches]
        return "\n".join([self.line(), *lines, f"replay: {self.replay}"])


def judge(
    scenario: str, seed: int, seconds: float, history: History, contents: Contents, replay: str
) -> Outcome:
    """Checks a finished run."""
    return Outcome(
        scenario,
        seed,
        seconds,
        sum(ask.status != 0 for ask in history.asks),
        sum(ask.held for ask in history.asks),
        check(history, contents),
        replay,
        allowed_losses(history, contents),
        Counter(fault.name for fault in history.faults),
        times_to_recover(history),
        history.take_overs_s,
    )


def summary(outcomes: list[Outcome], left_out: list[str]) -> dict[str, Any]:
    """The totals of many runs."""
    faults: Counter[str] = Counter()
    recoveries: dict[str, list[float]] = defaultdict(list)
    for outcome in outcomes:
        faults += outcome.faults
        for name, seconds in outcome.recoveries:
            recoveries[name].append(seconds)
    everything = [seconds for times in recoveries.values() for seconds in times]
    return {
        "seeds": len(outcomes),
        "hours": round(sum(outcome.seconds for outcome in outcomes) / 3600, 3),
        "faults": dict(sorted(faults.items())),
        "faults_left_out": left_out,
        "answers": sum(outcome.answers for outcome in outcomes),
        "acknowledged_checked": sum(outcome.acknowledged for outcome in outcomes),
        "allowed_losses": sum(outcome.allowed_losses for outcome in outcomes),
        "breaches": sum(len(outcome.breaches) for outcome in outcomes),
        "failed": [outcome.replay for outcome in outcomes if outcome.breaches],
        "recovery_s": _quantiles(everything),
        "take_over_s": _quantiles([seconds for outcome in outcomes for seconds in outcome.take_overs_s]),
        "recovery_s_by_fault": {name: _quantiles(times) for name, times in sorted(recoveries.items())},
    }


def _quantiles(seconds: list[float]) -> dict[str, float] | None:
    if not seconds:
        return None
    if len(seconds) == 1:
        seconds = seconds * 2
    cuts = statistics.quantiles(seconds, n=100, method="inclusive")
    return {"p50": round(cuts[49], 2), "p99": round(cuts[98], 2), "max": round(max(seconds), 2)}
