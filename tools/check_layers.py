"""The layering rule: base <- core <- {gate, events, store, http} <- cli, and drivers stay in .cpp files.

Every #include of src/ is read. A folder may include itself and what LAYERS allows it, the rooms of core/
what ROOMS allows them, and adapters see no more of core/ than its model and ports. A driver's header may be
included by the folders that DRIVERS names, and only from .cpp files unless it is Asio or Beast in http/. A
test, and what lies in a folder testing/, may include any layer, since it puts the twins of ports together,
and its headers are nobody's interface.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

LAYERS = {
    "base": set(),
    "core": {"base"},
    "gate": {"base", "core"},
    "events": {"base", "core"},
    "store": {"base", "core"},
    "http": {"base", "core"},
    "cli": {"base", "core", "gate", "events", "store", "http"},
}

# The rooms of core/, from the bottom up: a room may include itself and these.
ROOMS = {
    "model": set(),
    "ports": {"model"},
    "catalog": {"model", "ports"},
    "progress": {"model", "ports"},
    "claims": {"model", "ports", "catalog"},
    "admission": {"model", "ports", "catalog", "progress", "claims"},
    "chain": {"model", "ports", "catalog", "progress", "claims"},
    "recovery": {"model", "ports", "catalog", "claims"},
    "admin": {"model", "ports", "catalog"},
    "audit": {"model", "ports"},
}

# What the folders that implement ports may include of core/.
ROOMS_OF_ADAPTERS = {"model", "ports"}
ADAPTERS = {"gate", "events", "store"}

# Prefix of the header -> the folders whose .cpp files may include it.
DRIVERS = {
    "boost/asio": {"gate", "http", "cli"},
    "boost/beast": {"http", "cli"},
    "boost/json": {"events", "http", "cli"},
    "boost/url": {"gate", "events", "store", "http", "cli"},
    "openssl/": {"gate", "http", "cli"},
    "hiredis/": {"gate"},
    "librdkafka/": {"events"},
    "libpq-fe": {"store"},
    "postgresql/": {"store"},
    "sqlite3": {"store"},
    "spdlog/": {"base"},
    "fmt/": {"base"},
    "CLI/": {"cli"},
}
IN_HEADERS_OF_HTTP = ("boost/asio", "boost/beast")

TESTING = "testing"

INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]')


def breaches(sources: Path) -> Iterator[str]:
    """One line for each include below `sources` that breaks the rule."""
    for path in sorted(sources.rglob("*")):
        if path.suffix not in {".cpp", ".hpp"}:
            continue
        for number, line in enumerate(path.read_text().splitlines(), 1):
            found = INCLUDE.match(line)
            reason = found and breach(path.relative_to(sources), found[1])
            if reason:
                yield f"{path.relative_to(sources.parent)}:{number}: {reason}"


def breach(path: Path, header: str) -> str | None:
    """Why the file at `path` (below src/) may not include `header`, or nothing."""
    folder = path.parts[0]
    if folder not in LAYERS:
        return f"{folder}/ is not in the list of layers"
    target = header.split("/")[0]
    in_test = path.stem.endswith("_test") or TESTING in path.parts
    allowed = set(LAYERS) if in_test else LAYERS[folder]
    if target in LAYERS and target != folder and target not in allowed:
        return f"{folder}/ may not include {header}"
    if not in_test:
        if f"/{TESTING}/" in header:
            return f"{header} is for tests"
        reason = room_breach(path, header)
        if reason:
            return reason
    for driver, folders in DRIVERS.items():
        if not header.startswith(driver):
            continue
        if folder not in folders:
            return f"{folder}/ may not use {header}"
        if path.suffix == ".hpp" and not in_test and not (folder == "http" and driver in IN_HEADERS_OF_HTTP):
            return f"{header} belongs in a .cpp file"
    return None


def room_breach(path: Path, header: str) -> str | None:
    """Why the file at `path`, which is no test, may not include this header of core/, or nothing."""
    folder, room = path.parts[0], path.parts[1]
    target = header.split("/")
    if target[0] != "core":
        return None
    if folder in ADAPTERS and target[1] not in ROOMS_OF_ADAPTERS:
        return f"{folder}/ may not include {header}"
    if folder != "core":
        return None
    if room not in ROOMS:
        return f"core/{room} is not in the list of rooms"
    if target[1] != room and target[1] not in ROOMS[room]:
        return f"core/{room}/ may not include {header}"
    return None


def main() -> int:
    """Prints the breaches; the exit code is 1 if there are any."""
    found = list(breaches(ROOT / "src"))
    for line in found:
        print(line)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
