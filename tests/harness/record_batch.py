"""Millions of copies of one Kafka message within seconds: one compressed batch, sent again and again."""

import gzip
import socket
import struct
import time

CLIENT = b"record-batch"
PRODUCE_KEY, PRODUCE_VERSION = 0, 7
COPIES_PER_BATCH = 20_000
CALL_TIMEOUT_S = 30.0
GZIP = 1
CRC32C_POLYNOMIAL = 0x82F63B78

Headers = list[tuple[str, bytes]]


def produce_copies(
    brokers: str, topic: str, count: int, key: bytes, value: bytes, headers: Headers | None = None
) -> None:
    """Appends at least `count` copies to partition 0, in whole batches."""
    host, port = brokers.split(":")
    request = _produce_request(topic, _batch(COPIES_PER_BATCH, key, value, headers or []))
    with socket.create_connection((host, int(port)), timeout=CALL_TIMEOUT_S) as broker:
        for _ in range(-(-count // COPIES_PER_BATCH)):
            broker.sendall(request)
            (size,) = struct.unpack(">i", _read(broker, 4))
            _check(_read(broker, size), topic)


def _check(response: bytes, topic: str) -> None:
    # Correlation id, one topic with its name, one partition and its number; then the error.
    at = 4 + 4 + 2 + len(topic) + 4 + 4
    (error,) = struct.unpack_from(">h", response, at)
    assert error == 0, f"the broker answers error {error}"


def _read(connection: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        part = connection.recv(size - len(data))
        assert part, "the broker has closed the connection"
        data += part
    return data


def _produce_request(topic: str, batch: bytes) -> bytes:
    body = struct.pack(">hhih", PRODUCE_KEY, PRODUCE_VERSION, 1, len(CLIENT)) + CLIENT
    # No transaction; acknowledged by all in-sync replicas, within 10 s.
    body += struct.pack(">hhi", -1, -1, 10_000)
    body += struct.pack(">ih", 1, len(topic)) + topic.encode()
    body += struct.pack(">iii", 1, 0, len(batch)) + batch
    return struct.pack(">i", len(body)) + body


def _batch(count: int, key: bytes, value: bytes, headers: Headers) -> bytes:
    """A record batch, version 2, without a producer id."""
    records = gzip.compress(b"".join(_record(offset, key, value, headers) for offset in range(count)))
    now_ms = time.time_ns() // 1_000_000
    checked = struct.pack(">hiqqqhii", GZIP, count - 1, now_ms, now_ms, -1, -1, -1, count) + records
    tail = struct.pack(">ibI", -1, 2, _crc32c(checked)) + checked
    return struct.pack(">qi", 0, len(tail)) + tail


def _record(offset: int, key: bytes, value: bytes, headers: Headers) -> bytes:
    body = b"\0" + _varint(0) + _varint(offset) + _sized(key) + _sized(value) + _varint(len(headers))
    body += b"".join(_sized(name.encode()) + _sized(content) for name, content in headers)
    return _sized(body)


def _sized(data: bytes) -> bytes:
    return _varint(len(data)) + data


def _varint(number: int) -> bytes:
    number = (number << 1) ^ (number >> 63)
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


def _crc32c(data: bytes) -> int:
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (CRC32C_POLYNOMIAL if byte & 1 else 0)
        table.append(byte)
    crc = 0xFFFFFFFF
    for byte in data:
        crc = table[(crc ^ byte) & 0xFF] ^ crc >> 8
    return crc ^ 0xFFFFFFFF
