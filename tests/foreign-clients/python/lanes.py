"""Reliable lanes, each way: pieces, their numbers, and the windows of P51."""

import heapq
from dataclasses import dataclass, field

import frames
from frames import FRAGMENT, LANE, PIECE_BYTES_MAX, UNORDERED_LANE


def pieces_max(window):
    """P51."""
    return max(256, window // 1024)


@dataclass
class Piece:
    """A frame that goes out until it is acknowledged."""

    lane: "OutLane"
    number: int
    start: int  # bytes of the lane before this piece
    end: int
    octets: bytes

    def acknowledge(self):
        self.lane.unacknowledged.pop(self.number, None)

    def lose(self):
        if self.number in self.lane.unacknowledged and self.number not in self.lane.queue:
            heapq.heappush(self.lane.queue, self.number)


@dataclass
class OutLane:
    """What this client says on a lane."""

    lane: int
    window: int
    next_number: int = 0
    bytes_said: int = 0
    unacknowledged: dict = field(default_factory=dict)  # by number, in that order
    queue: list = field(default_factory=list)  # a heap of numbers: what was lost goes before what is new (P15)

    def push(self, message):
        """P54."""
        for at in range(0, len(message), PIECE_BYTES_MAX):
            part = message[at : at + PIECE_BYTES_MAX]
            kind = LANE if at + PIECE_BYTES_MAX >= len(message) else FRAGMENT
            octets = frames.frame(kind, bytes([self.lane]), self.next_number, frames.string(part))
            start, self.bytes_said = self.bytes_said, self.bytes_said + len(part)
            self.unacknowledged[self.next_number] = Piece(self, self.next_number, start, self.bytes_said, octets)
            heapq.heappush(self.queue, self.next_number)
            self.next_number += 1

    def next_piece(self):
        """The piece that may leave next; `pop` takes it."""
        while self.queue and self.queue[0] not in self.unacknowledged:
            heapq.heappop(self.queue)
        if not self.queue:
            return None
        piece, oldest = self.unacknowledged[self.queue[0]], next(iter(self.unacknowledged.values()))
        fits = piece.end - oldest.start <= self.window and piece.number - oldest.number < pieces_max(self.window)
        return piece if fits else None

    def pop(self):
        return self.unacknowledged[heapq.heappop(self.queue)]

    def requeue_all(self):
        """P24, where lanes are kept."""
        self.queue = list(self.unacknowledged)


@dataclass
class InLane:
    """What the server says on a lane."""

    lane: int
    window: int
    message_limit: int
    expected: int = 0
    held: dict = field(default_factory=dict)
    partial: bytes = b""

    def take(self, number, octets, is_last):
        """The messages that this piece completes, in order."""
        if number < self.expected or number in self.held:
            return []  # P55
        if number - self.expected >= pieces_max(self.window):
            raise frames.Malformed("a piece beyond the window")
        is_ordered = self.lane != UNORDERED_LANE
        self.held[number] = (octets, is_last) if is_ordered else (b"", False)
        messages = [] if is_ordered else [octets]
        while self.expected in self.held:
            octets, is_last = self.held.pop(self.expected)
            self.expected += 1
            self.partial += octets
            if len(self.partial) > self.message_limit:
                raise frames.Malformed("a message too long")
            if is_last:
                messages.append(self.partial)
                self.partial = b""
        return messages
