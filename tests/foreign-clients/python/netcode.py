"""netcode 1.02: connect tokens, packets and the client's side of the handshake, as the standard has them."""

import secrets
import struct
from dataclasses import dataclass

import aead

VERSION = b"NETCODE 1.02\0"
REQUEST, DENIED, CHALLENGE, RESPONSE, KEEP_ALIVE, PAYLOAD, DISCONNECT = range(7)
REPLAY_WINDOW = 1024


@dataclass
class Token:
    """What a client needs of a connect token."""

    protocol_id: int
    expire: int
    nonce: bytes
    private: bytes
    addresses: list
    keys: tuple  # client to server, server to client
    sequence: int  # the first one that may be used under its keys


def parse_token(token):
    """A connect token of 2,048 bytes, as a backend hands it out."""
    if len(token) != 2048 or token[:13] != VERSION:
        raise ValueError("not a connect token")
    protocol_id, _create, expire, nonce, private, _timeout, count = struct.unpack_from("<QQQ24s1024siI", token, 13)
    addresses, at = parse_addresses(token, 1093, count)
    keys = token[at : at + 32], token[at + 32 : at + 64]
    # P63: whoever read the token from a file may do so twice, and must not seal two packets under one sequence.
    return Token(protocol_id, expire, nonce, private, addresses, keys, secrets.randbelow(1 << 40))


def parse_addresses(data, at, count):
    """The addresses, as sockets want them, and where they end."""
    addresses = []
    for _ in range(count):
        parts = struct.unpack_from("<4BH" if data[at] == 1 else "<8HH", data, at + 1)
        at += 7 if data[at] == 1 else 19
        host = ".".join(map(str, parts[:4])) if len(parts) == 5 else ":".join(f"{part:x}" for part in parts[:8])
        addresses.append((host, parts[-1]))
    return addresses, at


class Channel:
    """Seals and opens the packets of one connect token: one key epoch."""

    def __init__(self, token):
        self.token = token
        self.sequence = token.sequence
        self.newest = -1
        self.received = set()

    def seal(self, kind, content=b""):
        """A packet, and the sequence it went out under."""
        sequence, self.sequence = self.sequence, self.sequence + 1
        number = sequence.to_bytes(max(1, (sequence.bit_length() + 7) // 8), "little")
        prefix = bytes([len(number) << 4 | kind])
        sealed = aead.seal(self.token.keys[0], _nonce(sequence), content, self._associated(prefix))
        return prefix + number + sealed, sequence

    def open(self, packet):
        """Type, sequence and content of a packet of the server, or `None`."""
        kind, length = (packet[0] & 15, packet[0] >> 4) if len(packet) >= 18 else (0, 0)
        if kind in (REQUEST, RESPONSE) or kind > DISCONNECT or not 1 <= length <= 8 or len(packet) < 17 + length:
            return None
        sequence = int.from_bytes(packet[1 : 1 + length], "little")
        is_guarded = kind in (KEEP_ALIVE, PAYLOAD, DISCONNECT)
        if is_guarded and (sequence in self.received or sequence + REPLAY_WINDOW <= self.newest):
            return None
        key, associated = self.token.keys[1], self._associated(packet[:1])
        content = aead.open_sealed(key, _nonce(sequence), packet[1 + length :], associated)
        if content is not None and is_guarded:
            self.newest = max(self.newest, sequence)
            self.received = {old for old in self.received | {sequence} if old + REPLAY_WINDOW > self.newest}
        return None if content is None else (kind, sequence, content)

    def request(self):
        """The packet that asks for a challenge."""
        token = self.token
        return b"\0" + VERSION + struct.pack("<QQ", token.protocol_id, token.expire) + token.nonce + token.private

    def _associated(self, prefix):
        return VERSION + struct.pack("<Q", self.token.protocol_id) + prefix


def _nonce(sequence):
    return struct.pack("<IQ", 0, sequence)
