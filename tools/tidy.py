"""clang-tidy over src/ without its tests, two files at a time, skipping what passed and has not changed.

A file passes for the hash of itself, every header of ours it includes, its compile command, the
configuration and the tool's version. As with ccache, what passed is remembered in the user's cache
folder, one empty file per hash, so that a fresh clone profits too.
"""

import argparse
import hashlib
import json
import os
import re
import shlex
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SOURCES = ROOT / "src"
WORK = ROOT / "build" / "tidy"
PASSED = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "seonchak" / "tidy"
JOBS = 2
# What base/mutex.hpp declares of locks; only clang looks.
LOCKS = ["-Wthread-safety", "-Werror=thread-safety"]
INCLUDE = re.compile(r'^\s*#\s*include\s*"([^"]+)"', re.MULTILINE)


def clang_arguments(command: str) -> list[str]:
    """The command without what only g++ understands: its precompiled headers, sanitizers and warnings."""
    words = shlex.split(command)
    kept: list[str] = []
    skip = False
    for position, word in enumerate(words):
        if skip:
            skip = False
        elif word == "-include" and words[position + 1].endswith("cmake_pch.hxx"):
            skip = True
        elif word != "-Winvalid-pch" and not word.startswith(("-fsanitize", "-fno-sanitize")):
            kept.append(word)
    # libstdc++ uses what it deprecates; g++ tells us when we do.
    return [*kept, "-Wno-unknown-warning-option", "-Wno-deprecated-declarations", *LOCKS]


def compile_commands(database: Path) -> list[dict]:
    """The database's entries for src/, fit for clang."""
    return [
        {
            "directory": entry["directory"],
            "file": entry["file"],
            "arguments": clang_arguments(entry["command"]),
        }
        for entry in json.loads(database.read_text())
        if is_ours(Path(entry["file"]))
    ]


def is_ours(source: Path) -> bool:
    """Whether a source is part of the program: tests answer to the compiler's warnings only."""
    return source.is_relative_to(SOURCES) and not source.stem.endswith(("_test", "_contract"))


def included(source: Path, sources: Path = SOURCES) -> list[Path]:
    """The file and every header below `sources` that it includes, directly or not, sorted."""
    found = {source}
    open_files = [source]
    while open_files:
        for name in INCLUDE.findall(open_files.pop().read_text()):
            header = sources / name
            if header.is_file() and header not in found:
                found.add(header)
                open_files.append(header)
    return sorted(found)


def fingerprint(entry: dict, common: bytes) -> str:
    """What the outcome for one file depends on."""
    digest = hashlib.sha256(common)
    digest.update(" ".join(entry["arguments"]).replace(str(ROOT), "").encode())
    for path in included(Path(entry["file"])):
        digest.update(str(path.relative_to(SOURCES)).encode() + path.read_bytes())
    return digest.hexdigest()


def check(tool: str, entry: dict) -> tuple[bool, str]:
    """Whether a file is clean, and what the tool printed."""
    done = subprocess.run(
        [tool, "-p", str(WORK), "--quiet", entry["file"]],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode == 0, done.stdout + (done.stderr if done.returncode else "")


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tool", default="clang-tidy")
    parser.add_argument("--database", type=Path, default=ROOT / "build" / "asan" / "compile_commands.json")
    arguments = parser.parse_args()

    entries = compile_commands(arguments.database)
    WORK.mkdir(parents=True, exist_ok=True)
    PASSED.mkdir(parents=True, exist_ok=True)
    (WORK / "compile_commands.json").write_text(json.dumps(entries))
    version = subprocess.run([arguments.tool, "--version"], capture_output=True, check=True).stdout
    common = version + (ROOT / ".clang-tidy").read_bytes()
    prints = {entry["file"]: fingerprint(entry, common) for entry in entries}
    changed = [entry for entry in entries if not (PASSED / prints[entry["file"]]).exists()]

    failed = 0
    with ThreadPoolExecutor(JOBS) as pool:
        outcomes = pool.map(lambda entry: check(arguments.tool, entry), changed)
        for entry, (clean, output) in zip(changed, outcomes, strict=True):
            if clean:
                (PASSED / prints[entry["file"]]).touch()
            else:
                failed += 1
                print(output)
    print(f"clang-tidy: {len(entries)} files, {len(changed)} looked at, {failed} with findings")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
