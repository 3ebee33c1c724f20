"""The arithmetic of the benchmarks: what they measure needs a machine, what they make of it does not."""

import os
import xml.etree.ElementTree as ElementTree

import pytest

from bench.aims import Aim, cpu, of, rates
from bench.cpu import cpu_seconds, rss_bytes
from bench.generator import Load, Target, command, expect, issue, on_time
from bench.persistence import quantile
from bench.svg import nice_step, plot, short

RESULTS = {
    "ours": {"rate": 300.0, "cpu_us": {"server": 4.0}},
    "theirs": {"rate": 100.0, "cpu_us": {"server": 8.0}},
    "late": {"seconds": None},
}


def test_an_aim_is_met_on_its_side_of_the_bound() -> None:
    assert Aim("", 2.0, rates("ours", "theirs")).judge(RESULTS) == (3.0, True)
    assert Aim("", 4.0, rates("ours", "theirs")).judge(RESULTS) == (3.0, False)
    assert Aim("", 0.5, cpu("ours", "theirs"), at_most=True).judge(RESULTS) == (0.5, True)
    assert Aim("", 0.4, cpu("ours", "theirs"), at_most=True).judge(RESULTS) == (0.5, False)


def test_what_was_not_measured_is_not_judged() -> None:
    assert Aim("", 1.0, rates("ours", "nobody")).judge(RESULTS) is None
    assert Aim("", 1.0, of("late", "seconds")).judge(RESULTS) is None


def test_no_two_runs_share_a_user() -> None:
    assert issue(80, "c").headers != issue(80, "c").headers


def test_a_load_is_what_the_generator_is_told() -> None:
    line = command(Target(80, "/x", ("A: {user}",)), Load(seconds=2, rate=500))
    assert line[line.index("--seconds") + 1] == "2"
    assert line[line.index("--rate") + 1] == "500"
    assert "--requests" not in line


def test_a_rate_of_errors_is_no_rate() -> None:
    expect({"answers": 1000, "statuses": {"201": 1000}}, 201)
    with pytest.raises(RuntimeError):
        expect({"answers": 1000, "statuses": {"201": 990, "503": 10}}, 201)
    with pytest.raises(RuntimeError):
        expect({"answers": 0, "statuses": {}}, 201)


def test_latency_at_another_rate_is_refused() -> None:
    late = {"rate": 900.0, "errors": {"unsent": 0}}
    on_time(late, Load(seconds=1, rate=900))
    with pytest.raises(RuntimeError):
        on_time(late, Load(seconds=1, rate=1000))


def test_quantiles() -> None:
    values = [float(n) for n in range(100, 0, -1)]
    assert (quantile(values, 0.0), quantile(values, 0.5), quantile(values, 0.99)) == (1.0, 51.0, 100.0)


def test_cpu_and_memory_of_this_process() -> None:
    assert cpu_seconds(os.getpid()) > 0
    assert rss_bytes(os.getpid()) > 1_000_000


@pytest.mark.parametrize(("top", "step"), [(1.0, 0.2), (7.0, 2.0), (48_000.0, 10_000.0)])
def test_steps_of_an_axis(top: float, step: float) -> None:
    assert nice_step(top) == pytest.approx(step)


def test_numbers_are_short() -> None:
    assert [short(value) for value in (64, 2_000, 1_500_000)] == ["64", "2k", "1.5M"]


def test_a_plot_has_every_point() -> None:
    picture = ElementTree.fromstring(plot("a < b", "stock", {"x": [(1, 2.0), (10, 4.0)], "y": [(1, 0.0)]}))
    assert len(picture.findall(".//{http://www.w3.org/2000/svg}circle")) == 3
