"""What no tracked file may contain, and how long one may be.

A path of somebody's machine or a registry's host makes the project depend on a place; a note to
oneself belongs in the tracker; a skipped test proves nothing.
"""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LINES_MAX = 400
CODE = {".cpp", ".hpp", ".py", ".sh", ".js", ".css", ".lua", ".sql", ".cmake", ""}

# Written in pieces so that this file obeys itself.
BANS = {
    "a path of one machine": re.compile(r"(?<![\w.~}-])/(work" + r"|root|home)/\w"),
    "a registry's host": re.compile(
        r"pypi\." + r"org|registry\.npmjs|crates\." + r"io|repo1?\.maven|deb\.debian\."
    ),
    "a note to oneself": re.compile(r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X)\b"),
    "a skipped test": re.compile(
        r"GTEST_" + r"SKIP|pytest\.sk" + r"ip|mark\.sk" + r"ip|\bxf" + r"ail\b|DISABLED" + r"_\w"
    ),
}


def findings(path: Path, text: str) -> Iterator[str]:
    """One line for each thing that is wrong with a file."""
    lines = text.splitlines()
    for number, line in enumerate(lines, 1):
        for name, pattern in BANS.items():
            if pattern.search(line):
                yield f"{path}:{number}: {name}: {line.strip()}"
    if path.suffix in CODE and len(lines) > LINES_MAX:
        yield f"{path}: {len(lines)} lines, at most {LINES_MAX}"


def files() -> list[Path]:
    """What git tracks, and what it would track, that is still there."""
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [Path(name) for name in sorted(names.split("\0")) if name and (ROOT / name).is_file()]


def main() -> int:
    """Prints the findings; the exit code is 1 if there are any. Files that are not text are passed over."""
    failed = False
    for path in files():
        try:
            text = (ROOT / path).read_text()
        except UnicodeDecodeError:
            continue
        for line in findings(path, text):
            failed = True
            print(line)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
