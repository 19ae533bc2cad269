"""The frames of PROTOCOL.md, written and read. Rule numbers (`P1`, …) are that page's."""

import struct

MAGIC = b"REJOIN\r\n"
HELLO, WELCOME, ACK, HEARTBEAT, HEARTBEAT_RESPONSE, LOGIN, LOGIN_ACCEPTED, LOGIN_REJECTED, RESUME_TOKEN, GOODBYE, PATH_CHALLENGE, PATH_RESPONSE = range(1, 13)
DRAINING = 0x0D
LANE, DATAGRAM, STATE, MOVES, FRAGMENT, LATEST = range(0x10, 0x16)

KEPT, EXPLICIT_LOGIN, LOGGED_IN, HAS_MARK = 1, 2, 4, 8
PIECE_BYTES_MAX = 1150
PAYLOAD_BYTES_MAX = 1200
UNORDERED_LANE = 16


class Malformed(Exception):
    """A payload that is dropped whole, P5."""


def varint(number):
    """P1."""
    octets = bytearray()
    while number >= 0x80:
        octets.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes(octets) + bytes([number])


def string(octets):
    """P3."""
    return varint(len(octets)) + octets


def frame(kind, *fields):
    """A frame of fields that are encoded already, or are numbers that travel as varints."""
    return bytes([kind]) + b"".join(varint(field) if isinstance(field, int) else field for field in fields)


def ack(ranges, delay_us):
    """P10: of ranges (smallest, largest), the highest first."""
    (smallest, largest), *further = ranges
    fields = [largest, delay_us, len(further), largest - smallest]
    for low, high in further:
        fields += [smallest - high - 2, high - low]
        smallest = low
    return frame(ACK, *fields)


def moves(inputs):
    """P46: of pairs (tick, input), the newest first."""
    (newest, first), *older = inputs
    fields, before = [newest, len(inputs), string(first)], newest
    for tick, content in older:
        fields += [before - tick, string(content)]
        before = tick
    return frame(MOVES, *fields)


class Reader:
    """Takes fields off a payload."""

    def __init__(self, payload):
        self.payload, self.at = payload, 0

    def raw(self, count):
        if self.at + count > len(self.payload):
            raise Malformed("truncated")
        self.at += count
        return self.payload[self.at - count : self.at]

    def u8(self):
        return self.raw(1)[0]

    def u64(self):
        return struct.unpack("<Q", self.raw(8))[0]

    def varint(self):
        number = 0
        for place in range(10):
            octet = self.u8()
            number |= (octet & 0x7F) << 7 * place
            if octet < 0x80:
                if number >= 1 << 64 or (octet == 0 and place > 0):
                    break
                return number
        raise Malformed("a varint too long or not in its shortest form")

    def varints(self, count):
        return tuple(self.varint() for _ in range(count))

    def string(self, most=PAYLOAD_BYTES_MAX, least=0):
        count = self.varint()
        if not least <= count <= most:
            raise Malformed("a byte string out of its range")
        return self.raw(count)


def parse(payload):
    """All frames of a payload of the server, as (type, fields); raises `Malformed`."""
    reader, frames = Reader(payload), []
    while reader.at < len(payload) or not frames:
        kind = reader.u8()
        if kind not in _READERS:
            raise Malformed(f"no frame of a server: {kind:#x}")
        if kind <= HEARTBEAT_RESPONSE and any(kind == other for other, _ in frames):
            raise Malformed("a frame too many")  # P9
        frames.append((kind, _READERS[kind](reader)))
    return frames


def _welcome(reader):
    names = ("tick_hz", "server_tick", "heartbeat_ms", "timeout_ms", "reconnect_window_ms")
    welcome = {"version": reader.varint(), "lane_epoch": reader.u64(), "flags": reader.u8(), "session": reader.u64()}
    welcome |= zip(names, reader.varints(5))
    welcome |= {"lanes": reader.u8()} | dict(zip(("message_limit", "lane_window", "latest_keys"), reader.varints(3)))
    welcome["mark"] = reader.varint() if welcome["flags"] & HAS_MARK else None
    return welcome


def _ack(reader):
    """The ranges (smallest, largest), and the delay in microseconds."""
    largest, delay_us, further, length = reader.varints(4)
    if further > 31:
        raise Malformed("too many ranges")
    ranges = [(largest - length, largest)]
    for _ in range(further):
        gap, length = reader.varints(2)
        high = ranges[-1][0] - gap - 2
        ranges.append((high - length, high))
    if ranges[-1][0] < 0:
        raise Malformed("a range below zero")
    return ranges, delay_us


def _heartbeat_response(reader):
    stamp, delay_us, tick, phase_us = reader.varints(4)
    judged = reader.varints(2) if _flag(reader) else None
    return stamp, delay_us, tick, phase_us, judged


def _state(reader):
    return reader.varint(), reader.varint() if _flag(reader) else None, reader.string()


def _resume_token(reader):
    """Generation, expiry, nonce, private part, keys, and the addresses' bytes with their count before them."""
    generation, _create, expire = reader.varint(), reader.u64(), reader.u64()
    nonce, private, to_server, to_client = reader.raw(24), reader.raw(1024), reader.raw(32), reader.raw(32)
    _timeout, count = reader.raw(4), reader.u8()
    if not 1 <= count <= 32:
        raise Malformed("a token without addresses")
    addresses = b""
    for _ in range(count):
        addresses += _address(reader)
    return generation, expire, nonce, private, (to_server, to_client), count, addresses


def _draining(reader):
    """Announcement, code, what is left of the time in milliseconds, and the bytes of the other address."""
    announcement, code = reader.varints(2)
    if announcement == 0 or code >= 1 << 32:
        raise Malformed("an announcement out of range")
    remaining_ms = reader.varint() if _flag(reader) else None
    return announcement, code, remaining_ms, _address(reader) if _flag(reader) else None


def _address(reader):
    kind = reader.u8()
    if kind not in (1, 2):
        raise Malformed("an address of no kind")
    return bytes([kind]) + reader.raw(6 if kind == 1 else 18)


def _flag(reader):
    flag = reader.u8()
    if flag > 1:
        raise Malformed("a flag that is neither 0 nor 1")
    return flag


def _piece(reader):
    return reader.u8(), reader.varint(), reader.string(PIECE_BYTES_MAX, 1)


_READERS = {
    WELCOME: _welcome,
    ACK: _ack,
    HEARTBEAT: Reader.varint,
    HEARTBEAT_RESPONSE: _heartbeat_response,
    LOGIN_ACCEPTED: Reader.varint,
    LOGIN_REJECTED: lambda reader: (*reader.varints(3), reader.string(255)),
    RESUME_TOKEN: _resume_token,
    GOODBYE: lambda reader: (reader.u8(), reader.string(255)),
    PATH_CHALLENGE: lambda reader: reader.raw(8),
    DRAINING: _draining,
    LANE: _piece,
    FRAGMENT: _piece,
    DATAGRAM: lambda reader: reader.string(PIECE_BYTES_MAX, 1),
    STATE: _state,
    LATEST: lambda reader: (reader.varint(), reader.varint(), reader.string(PIECE_BYTES_MAX)),
}
