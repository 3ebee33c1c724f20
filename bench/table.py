"""The results as text."""

from typing import Any

from bench.aims import AIMS, Results

THREAD_US_MIN = 0.2


def _cpu(cpu_us: dict[str, float]) -> str:
    return "  ".join(f"{name} {value:.3g}" for name, value in cpu_us.items())


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def subjects(results: Results, titles: dict[str, str]) -> list[str]:
    """Rate, ratio to nginx' constant answer, latency under that load, batch size and CPU."""
    measured = [name for name in titles if name in results]
    if not measured:
        return []
    base = results.get("nginx-constant", {}).get("rate")
    lines = [
        f"{'':40} {'per s':>9} {'ratio':>6} {'p50 ms':>7} {'p99 ms':>7} {'batch':>6}  CPU us per request"
    ]
    for name in measured:
        one = results[name]
        ratio = f"{one['rate'] / base:.2f}x" if base else ""
        latency = one["latency_us"]
        batch = f"{one['batch']:.0f}" if one.get("batch") else ""
        lines.append(
            f"{titles[name]:40} {one['rate']:>9,.0f} {ratio:>6} {latency['p50'] / 1e3:>7.2f}"
            f" {latency['p99'] / 1e3:>7.2f} {batch:>6}  {_cpu(one['cpu_us'])}"
        )
    return lines


def rows(text: str, one: dict[str, Any]) -> str:
    """How fast rows were saved, and what one cost."""
    return f"{text}: {one['rate']:,.0f}/s; CPU us per row: {_cpu(one['cpu_us'])}"


def others(results: Results, titles: dict[str, str]) -> list[str]:
    """What is not a rate of answers, one line each."""
    lines = [
        f"{titles[name]}: the last row {one['drained_s']:.2f} s after the last answer of a round"
        for name, one in results.items()
        if one.get("drained_s") is not None
    ]
    lines += [
        f"{titles[name]}, the server by thread: {_cpu(threads)} us"
        for name, one in results.items()
        if (threads := {key: us for key, us in one.get("thread_us", {}).items() if us >= THREAD_US_MIN})
    ]
    if one := results.get("half-rate"):
        lines.append(
            f"whole chain at {one['rate']:,.0f}/s: p50 {one['p50_ms']:.2f}, p99 {one['p99_ms']:.2f}, "
            f"p99.9 {one['p99.9_ms']:.2f} ms"
        )
    if one := results.get("lag"):
        lines.append(
            f"database behind at {one['rate']:,.0f} winners/s: "
            f"p50 {one['p50_ms']:.0f}, p99 {one['p99_ms']:.0f}, most {one['max_ms']:.0f} ms"
        )
    for name, text in (("rows-copy", "rows by COPY"), ("rows-consumer", "rows by the consumer")):
        if one := results.get(name):
            lines.append(rows(text, one))
    if (one := results.get("burst")) and one["seconds"] is not None:
        lines.append(
            f"burst of {one['winners']:,}: {one['rate']:,.0f} answers/s, {one['behind_rows']:,} rows behind "
            f"at the last answer, all saved {one['seconds']:.1f} s later"
        )
    return lines


def aims(results: Results) -> list[str]:
    """Each aim with what was measured."""
    lines = [f"{'':52} {'measured':>12} {'aim':>12}"]
    for aim in AIMS:
        judged = aim.judge(results)
        sign = "<=" if aim.at_most else ">="
        bound = f"{sign} {_number(aim.bound)}{aim.unit}"
        measured, verdict = "", "not measured"
        if judged is not None:
            measured, verdict = f"{_number(judged[0])}{aim.unit}", "met" if judged[1] else "NOT MET"
        lines.append(f"{aim.text:52} {measured:>12} {bound:>12}  {verdict}")
    return lines


def failures(failed: dict[str, str]) -> list[str]:
    """What could not be measured, and why."""
    return [f"\nNOT MEASURED: {name}: {problem.splitlines()[0]}" for name, problem in failed.items()]


def report(results: Results, titles: dict[str, str], conditions: dict[str, Any]) -> str:
    """The whole of it."""
    head = ", ".join(f"{key} {value}" for key, value in conditions.items())
    parts = [[head], subjects(results, titles), others(results, titles), aims(results)]
    return "\n\n".join("\n".join(part) for part in parts if part)
