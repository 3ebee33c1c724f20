"""A TCP proxy whose links can be cut, stalled, delayed and reset while traffic flows.

Runs as a process of its own, so that it does not share the interpreter with the clients:

    python -m harness.proxy CONTROL_PORT PORT:HOST:PORT...

It is told what to do by lines on the control port, `LINK MODE [MILLISECONDS]`, and answers `ok`:

    pass     hand over everything, what was held back first
    delay    the same, each piece that much later
    stall    accept and keep connections, hand over nothing
    mute     hand over what clients say and hold back what the servers answer
    cut      end every connection and refuse new ones
    reset    end every connection with a reset, once; then pass
"""

import asyncio
import contextlib
import socket
import struct
import sys
from collections.abc import Mapping
from typing import Literal

from harness.process import ROOT, Process, free_port

Mode = Literal["pass", "delay", "stall", "mute", "cut", "reset"]

READ_BYTES = 65_536
CONNECT_TIMEOUT_S = 5.0
CONTROL_TIMEOUT_S = 10.0


class Proxy(Process):
    """Links by name, each from a port of this process to a port on loopback."""

    name = "proxy"

    def __init__(self, targets: Mapping[str, int]) -> None:
        super().__init__()
        self.ports = {link: free_port() for link in targets}
        self._targets = dict(targets)

    def command(self) -> list[str]:
        links = [f"{link}:{self.ports[link]}:{target}" for link, target in self._targets.items()]
        return [sys.executable, "-m", "harness.proxy", str(self.port), *links]

    def environment(self) -> dict[str, str]:
        return {**super().environment(), "PYTHONPATH": str(ROOT / "tests")}

    def is_ready(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
            return True
        return False

    def set(self, link: str, mode: Mode, milliseconds: int = 0) -> None:
        """Changes a link; in force when it returns."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=CONTROL_TIMEOUT_S) as control:
            control.sendall(f"{link} {mode} {milliseconds}\n".encode())
            answer = control.recv(100)
        assert answer == b"ok\n", f"the proxy says {answer!r}"


class _Link:
    """One listening port and the connections through it."""

    def __init__(self, port: int, target: int) -> None:
        self._port = port
        self._target = target
        self._mode = "pass"
        self._delay_s = 0.0
        self._changed = asyncio.Condition()
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def listen(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self._port, reuse_address=True)

    async def set(self, mode: str, milliseconds: int) -> None:
        if mode in ("cut", "reset"):
            if mode == "cut" and self._server is not None:
                self._server.close()
                self._server = None
            for writer in list(self._writers):
                _end(writer, with_reset=mode == "reset")
            mode = "cut" if mode == "cut" else "pass"
        if mode != "cut" and self._server is None:
            await self.listen()
        async with self._changed:
            self._mode, self._delay_s = mode, milliseconds / 1000
            self._changed.notify_all()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            async with self._changed:
                await self._changed.wait_for(lambda: self._mode != "stall")
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                to_server = await asyncio.open_connection("127.0.0.1", self._target)
        except (OSError, TimeoutError):
            _end(writer, with_reset=True)
            self._writers.discard(writer)
            return
        self._writers.add(to_server[1])
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(self._pump(reader, to_server[1], held_by=("stall",)))
                both.create_task(self._pump(to_server[0], writer, held_by=("stall", "mute")))
        finally:
            for one in (writer, to_server[1]):
                _end(one, with_reset=False)
                self._writers.discard(one)

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, held_by: tuple[str, ...]
    ) -> None:
        """Hands over until either side ends; then both ends are closed, as none of ours half-closes."""
        with contextlib.suppress(OSError):
            while part := await reader.read(READ_BYTES):
                if self._mode == "delay":
                    await asyncio.sleep(self._delay_s)
                if self._mode in held_by:
                    async with self._changed:
                        await self._changed.wait_for(lambda: self._mode not in held_by)
                if writer.is_closing():
                    break
                writer.write(part)
                await writer.drain()
        _end(writer, with_reset=False)


def _end(writer: asyncio.StreamWriter, with_reset: bool) -> None:
    if with_reset:
        with contextlib.suppress(OSError):
            linger = struct.pack("ii", 1, 0)
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        writer.transport.abort()
    else:
        writer.close()


async def _run(control_port: int, links: Mapping[str, _Link]) -> None:
    async def control(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if line := await reader.readline():
            name, mode, milliseconds = line.decode().split()
            await links[name].set(mode, int(milliseconds))
            writer.write(b"ok\n")
            await writer.drain()
        writer.close()

    for link in links.values():
        await link.listen()
    server = await asyncio.start_server(control, "127.0.0.1", control_port)
    await server.serve_forever()


def main() -> None:
    """The command line."""
    control_port, *specifications = sys.argv[1:]
    parts = [specification.split(":") for specification in specifications]

    async def run() -> None:
        await _run(int(control_port), {name: _Link(int(port), int(to)) for name, port, to in parts})

    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(run())


if __name__ == "__main__":
    main()
