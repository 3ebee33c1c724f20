"""Runs seonchak-load, the generator of load in bench/load."""

import itertools
import json
import subprocess
from dataclasses import dataclass
from typing import Any

from harness.process import ROOT

PROGRAM = ROOT / "build" / "bench" / "seonchak-load"
SPARE_S = 60.0

_runs = itertools.count()


@dataclass(frozen=True)
class Target:
    """Where requests go, and what they look like."""

    port: int
    path: str
    headers: tuple[str, ...] = ()
    method: str = "POST"
    coupons: int = 1


@dataclass(frozen=True)
class Load:
    """How many requests, over how many connections, how fast; rate 0 is as fast as answers come."""

    seconds: float = 0
    requests: int = 0
    connections: int = 64
    rate: float = 0


def issue(port: int, coupon: str, coupons: int = 1) -> Target:
    """Asks for a coupon, as a user that no other run has. {coupon} in the id counts through `coupons`."""
    return Target(
        port, f"/v1/coupons/{coupon}/issue", (f"X-User-Id: r{next(_runs)}-{{user}}",), coupons=coupons
    )


def command(target: Target, load: Load) -> list[str]:
    """The command line."""
    line = [str(PROGRAM), "--port", str(target.port), "--method", target.method, "--path", target.path]
    for header in target.headers:
        line += ["--header", header]
    line += ["--coupons", str(target.coupons), "--connections", str(load.connections)]
    for name, value in (("seconds", load.seconds), ("requests", load.requests), ("rate", load.rate)):
        if value:
            line += [f"--{name}", str(value)]
    return line


def start(target: Target, load: Load) -> "subprocess.Popen[str]":
    """Starts it, for those who watch something else meanwhile; `finish` takes what it prints."""
    return subprocess.Popen(
        command(target, load), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8"
    )


def finish(child: "subprocess.Popen[str]", load: Load) -> dict[str, Any]:
    """Its report. Raises when it could not do its work, or a tenth of the requests had no answer."""
    bound_s = load.seconds or load.requests / 1_000
    try:
        output, problem = child.communicate(timeout=bound_s + SPARE_S)
    except subprocess.TimeoutExpired:
        child.kill()
        raise
    if child.returncode != 0:
        raise RuntimeError(problem)
    report = json.loads(output)
    if report["answers"] < 0.9 * report["requests"]:
        raise RuntimeError(f"too few answers: {report}")
    return report


def run(target: Target, load: Load) -> dict[str, Any]:
    """One run to its end."""
    return finish(start(target, load), load)


def expect(report: dict[str, Any], *statuses: int) -> None:
    """Raises unless nearly all answers have one of these statuses: a rate of errors is no rate."""
    good = sum(count for status, count in report["statuses"].items() if int(status) in statuses)
    if good < 0.999 * report["answers"] or report["answers"] == 0:
        raise RuntimeError(f"answers other than {statuses}: {report}")
