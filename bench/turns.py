"""Subjects that take turns: A B C, C B A, ..., so that what slows the machine slows all of them."""

import argparse
import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from bench.aims import Results
from bench.generator import Load
from bench.lab import say
from bench.subjects import Subject

T = TypeVar("T")


def median(values: list[Any]) -> Any:
    """The median of numbers, or of each entry of dictionaries; None when some are missing."""
    if isinstance(values[0], dict):
        return {key: median([value[key] for value in values if key in value]) for key in values[0]}
    if any(not isinstance(value, int | float) for value in values):
        return None
    return statistics.median(values)


def some_of(parser: argparse.ArgumentParser, text: str, names: list[str]) -> list[str]:
    """What --only names; ends the program, naming what there is, when something else is among it."""
    chosen = text.split(",")
    if unknown := set(chosen) - set(names):
        parser.error(f"no such scenario: {', '.join(sorted(unknown))}; there are {', '.join(names)}")
    return chosen


def there_and_back(all_of_them: list[T], number: int) -> list[T]:
    """In their order in the first round, backward in the second: nobody always follows the same one."""
    return all_of_them if number % 2 else all_of_them[::-1]


def in_turns(
    subjects: list[Subject], rounds: int, load: Load, end: float, failed: dict[str, str]
) -> tuple[Results, Results]:
    """A B C, C B A, ...: the medians and all rounds. A subject that fails takes no further part."""
    raw: dict[str, list[dict[str, Any]]] = {}

    def attempt(subject: Subject, work: Callable[[], None]) -> None:
        if subject.name in failed:
            return
        try:
            work()
        except (RuntimeError, AssertionError) as error:
            failed[subject.name] = str(error)
            say(f"{subject.name} failed: {error}")

    def measure(subject: Subject, number: int) -> None:
        result = subject.measure(load)
        raw.setdefault(subject.name, []).append(result)
        say(f"round {number} of {rounds}: {subject.name} {result['rate']:,.0f}/s")

    for subject in subjects:
        say(f"preparing {subject.name}")
        attempt(subject, subject.prepare)
    for number in range(1, rounds + 1):
        if number > 1 and time.monotonic() > end:
            say(f"no time is left for round {number}")
            break
        for subject in there_and_back(subjects, number):
            attempt(subject, partial(measure, subject, number))
    medians = {}
    for name, results in raw.items():
        medians[name] = median(results)
        medians[name]["latency_us"] = median([result["load"]["latency_us"] for result in results])
    return medians, raw
