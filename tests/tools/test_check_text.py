"""What no file may contain."""

from pathlib import Path

import pytest
from check_text import LINES_MAX, findings

# In two pieces, so that this file passes the check it tests.
BANNED = [
    ("see /wo" + "rk/main/x", "a path of one machine"),
    ("cd /ro" + "ot/project", "a path of one machine"),
    ("// TO" + "DO: later", "a note to oneself"),
    ("GTEST_" + "SKIP() << 1;", "a skipped test"),
    ("@pytest.mark.sk" + "ipif(True)", "a skipped test"),
    ("index-url = https://pypi." + "org/simple", "a registry's host"),
]


@pytest.mark.parametrize(("line", "name"), BANNED)
def test_banned(line: str, name: str) -> None:
    (finding,) = findings(Path("a.cpp"), f"fine\n{line}\n")
    assert finding.startswith(f"a.cpp:2: {name}")


@pytest.mark.parametrize(
    "line", ["/api/work/done", "the home/ folder", "~/work/x", "mastodon", "$build/home/x"]
)
def test_harmless(line: str) -> None:
    assert list(findings(Path("a.cpp"), line)) == []


def test_length() -> None:
    assert list(findings(Path("a.py"), "x\n" * LINES_MAX)) == []
    assert list(findings(Path("a.py"), "x\n" * (LINES_MAX + 1))) == [
        f"a.py: {LINES_MAX + 1} lines, at most {LINES_MAX}"
    ]
    assert list(findings(Path("data.json"), "x\n" * (LINES_MAX + 1))) == []
