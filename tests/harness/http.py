"""HTTP as tests need it: one call, a flood of calls, and bytes no client would send.

A flood goes over a few connections, each with many requests in flight, so that a hundred thousand
answers take seconds. Nothing here ever repeats a request.
"""

import json
import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import Any, NamedTuple

Address = tuple[str, int]

NO_ANSWER = 0
CALL_TIMEOUT_S = 30.0
PIPELINE_REQUESTS = 32
READ_BYTES = 65_536


class Answer(NamedTuple):
    """A status and the JSON of the body. Status 0: the connection ended before the answer came."""

    status: int
    body: Any = None


@dataclass(frozen=True)
class Reply:
    """A whole response; header names are in lower case."""

    status: int
    headers: dict[str, str]
    text: str

    def json(self) -> Any:
        """The body, parsed."""
        return json.loads(self.text)


def call(
    address: Address,
    method: str,
    target: str,
    headers: Mapping[str, str] | None = None,
    body: Any = None,
) -> Reply:
    """One request on a connection of its own. A body that is not text or bytes is sent as JSON."""
    headers = dict(headers or {})
    if body is not None and not isinstance(body, str | bytes):
        body = json.dumps(body)
        headers.setdefault("Content-Type", "application/json")
    connection = HTTPConnection(*address, timeout=CALL_TIMEOUT_S)
    try:
        connection.request(method, target, body=body, headers=headers)
        response = connection.getresponse()
        text = response.read().decode()
        return Reply(response.status, {key.lower(): value for key, value in response.getheaders()}, text)
    finally:
        connection.close()


def encode(method: str, target: str, headers: Mapping[str, str] | None = None, body: Any = None) -> bytes:
    """The bytes of a request for `load`. A body is sent as JSON."""
    content = b"" if body is None else json.dumps(body).encode()
    lines = [f"{method} {target} HTTP/1.1", "Host: 127.0.0.1"]
    lines += [f"{key}: {value}" for key, value in (headers or {}).items()]
    if content:
        lines.append("Content-Type: application/json")
    lines.append(f"Content-Length: {len(content)}")
    return "\r\n".join([*lines, "", ""]).encode() + content


def issue(coupon_id: str, user_id: str) -> bytes:
    """The bytes of the request a user's button sends."""
    return encode("POST", f"/v1/coupons/{coupon_id}/issue", {"X-User-Id": user_id})


def load(
    address: Address,
    requests: Sequence[bytes],
    connections: int = 8,
    pipeline: int = PIPELINE_REQUESTS,
    timeout_s: float = CALL_TIMEOUT_S,
) -> list[Answer]:
    """Sends every request once and returns the answers in the order of `requests`.

    Each connection takes the next `pipeline` requests, sends them together and reads the answers.
    When it breaks, the unanswered ones of that group get status 0 and it connects again.
    """
    answers = [Answer(NO_ANSWER)] * len(requests)
    starts = iter(range(0, len(requests), pipeline))
    failures: list[BaseException] = []

    def work() -> None:
        connection = Connection(address, timeout_s)
        try:
            for start in starts:
                group = requests[start : start + pipeline]
                for index, answer in enumerate(connection.answers(group), start):
                    answers[index] = answer
        except BaseException as error:
            failures.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=work, daemon=True) for _ in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return answers


def raw(address: Address, data: bytes, timeout_s: float = 5.0, half_close: bool = True) -> bytes:
    """Sends bytes as they are and returns all that comes back until the server closes.

    With `half_close` the server sees the end of the input. Returns what it has when the server
    keeps the connection open for `timeout_s`, or resets it.
    """
    received = b""
    with socket.create_connection(address, timeout=timeout_s) as connection:
        try:
            connection.sendall(data)
            if half_close:
                connection.shutdown(socket.SHUT_WR)
            while part := connection.recv(READ_BYTES):
                received += part
        except (TimeoutError, ConnectionError):
            pass
    return received


class _BrokenError(Exception):
    """The connection ended, or the server was silent for too long."""


class Connection:
    """A kept-alive connection that is made when it is needed. For one thread."""

    def __init__(self, address: Address, timeout_s: float) -> None:
        self._address = address
        self._timeout_s = timeout_s
        self._socket: socket.socket | None = None
        self._unread = b""

    def close(self) -> None:
        """Ends it; the next request makes a new one."""
        if self._socket is not None:
            self._socket.close()
        self._socket = None
        self._unread = b""

    def send(self, group: Sequence[bytes]) -> bool:
        """Sends the requests together, connecting if need be. False: the server was not reached at all."""
        if self._socket is None:
            try:
                self._socket = socket.create_connection(self._address, timeout=self._timeout_s)
                self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            except OSError:
                return False
        try:
            self._socket.sendall(b"".join(group))
        except OSError:
            self.close()
        return True

    def answers(self, group: Sequence[bytes]) -> Iterator[Answer]:
        """Sends the requests and yields the answers as they come: fewer when the connection breaks."""
        if self.send(group):
            yield from self.receive(len(group))

    def receive(self, count: int) -> Iterator[Answer]:
        """The next `count` answers: fewer when the connection breaks or is silent for too long."""
        try:
            for _ in range(count if self._socket is not None else 0):
                yield self._read()
        except (OSError, _BrokenError):
            self.close()

    def _read(self) -> Answer:
        while (head_end := self._unread.find(b"\r\n\r\n")) < 0:
            self._receive()
        status = int(self._unread[9:12])
        length = _content_length(self._unread[:head_end], status)
        end = head_end + 4 + length
        while len(self._unread) < end:
            self._receive()
        content = self._unread[head_end + 4 : end]
        self._unread = self._unread[end:]
        return Answer(status, json.loads(content) if content else None)

    def _receive(self) -> None:
        assert self._socket is not None
        part = self._socket.recv(READ_BYTES)
        if not part:
            raise _BrokenError
        self._unread += part


def _content_length(head: bytes, status: int) -> int:
    if status == 204:
        return 0
    at = head.lower().find(b"\r\ncontent-length:")
    if at < 0:
        raise ValueError(f"a response without Content-Length: {head!r}")
    return int(head[at + 17 :].split(b"\r\n", 1)[0])
