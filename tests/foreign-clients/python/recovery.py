"""Acknowledgement, loss and congestion in one key epoch: P10 to P19, on RFC 9002."""

from dataclasses import dataclass, field

import frames

ACK_DELAY_MAX_S = 0.025
PACKET_BYTES = 1200
WINDOW_BYTES_MIN = 2 * PACKET_BYTES


@dataclass
class Sent:
    """A packet that the server is to acknowledge."""

    at: float
    size: int
    is_prompt: bool  # acknowledged within 25 ms (P12)
    contents: list  # what is told whether it arrived


@dataclass
class Recovery:
    """What this client sent."""

    in_flight: dict = field(default_factory=dict)  # by sequence; those that are not prompt count for nothing but loss
    largest: int = -1
    latest_s: float = 0.0
    smoothed_s: float = 0.333
    variation_s: float = 0.1665
    has_sample: bool = False
    window: float = 10 * PACKET_BYTES
    threshold: float = float("inf")
    halved_at: float = -1.0
    probes: int = 0
    allowance: float = 4 * PACKET_BYTES
    paced_at: float = 0.0
    lost: int = 0

    def handle_ack(self, now, ranges, delay_us):
        """Takes an ack, and tells the contents of packets what became of them."""
        arrived = [number for number in self.in_flight if any(low <= number <= high for low, high in ranges)]
        was_used = self.bytes_in_flight() + 2 * PACKET_BYTES > self.window
        for number in arrived:
            sent = self.in_flight.pop(number)
            for content in sent.contents:
                content.acknowledge()
            if number == ranges[0][1]:
                self._sample(now - sent.at, delay_us / 1e6)
            if sent.is_prompt:
                self.probes = 0
                if was_used and sent.at > self.halved_at:
                    slow_start = self.window < self.threshold
                    self.window += sent.size if slow_start else PACKET_BYTES * sent.size / self.window
        self.largest = max(self.largest, ranges[0][1])
        self.find_lost(now)

    def find_lost(self, now):
        """P14: what three later ones overtook, or one later one and then 9/8 of a round trip."""
        patience_s = 9 / 8 * max(self.smoothed_s, self.latest_s, 0.001)
        for number, sent in list(self.in_flight.items()):
            if number <= self.largest - 3 or (number < self.largest and now - sent.at >= patience_s):
                del self.in_flight[number]
                self.lost += 1
                for content in sent.contents:
                    content.lose()
                if sent.at > self.halved_at:
                    self.threshold = self.window = max(self.window / 2, WINDOW_BYTES_MIN)
                    self.halved_at = now

    def probe(self, now):
        """P14: sends again what the oldest prompt packets brought, once they are overdue; how many packets may go for it."""
        prompt = [sent for sent in self.in_flight.values() if sent.is_prompt]
        timeout_s = self.smoothed_s + max(4 * self.variation_s, 0.001) + ACK_DELAY_MAX_S
        if not prompt or now < max(sent.at for sent in prompt) + timeout_s * 2**self.probes:
            return 0
        self.probes += 1
        if self.probes >= 3:
            self.window = WINDOW_BYTES_MIN  # persistent congestion
        for content in (content for sent in prompt[:2] for content in sent.contents):
            content.lose()
        return 2

    def bytes_in_flight(self):
        return sum(sent.size for sent in self.in_flight.values() if sent.is_prompt)

    def allows_pieces(self, now):
        """P18 and P19."""
        factor = 2 if self.threshold == float("inf") else 5 / 4
        earned = factor * self.window / self.smoothed_s * (now - self.paced_at)
        self.allowance, self.paced_at = min(self.allowance + earned, 4 * PACKET_BYTES), now
        return self.bytes_in_flight() + PACKET_BYTES <= self.window and self.allowance >= PACKET_BYTES

    def _sample(self, elapsed_s, delay_s):
        self.latest_s = max(elapsed_s - delay_s, 1e-6)
        if not self.has_sample:
            self.has_sample, self.smoothed_s, self.variation_s = True, self.latest_s, self.latest_s / 2
        else:
            self.variation_s += (abs(self.smoothed_s - self.latest_s) - self.variation_s) / 4
            self.smoothed_s += (self.latest_s - self.smoothed_s) / 8


@dataclass
class Owed:
    """What this client received and has to acknowledge."""

    ranges: list = field(default_factory=list)  # (smallest, largest), the highest first
    smallest_unnamed: float = float("inf")  # of those that no ack has named
    largest_at: float = 0.0
    prompt: int = 0
    due: float = float("inf")
    is_owed: bool = False

    def handle_packet(self, now, sequence, is_eliciting, is_prompt):
        is_next = not self.ranges or sequence == self.ranges[0][1] + 1
        if not self.ranges or sequence > self.ranges[0][1]:
            self.largest_at = now
        self._insert(sequence)
        self.smallest_unnamed = min(self.smallest_unnamed, sequence)
        self.is_owed |= is_eliciting
        self.prompt += is_prompt
        if is_eliciting and (not is_next or self.prompt >= 2):
            self.due = now
        elif is_prompt:
            self.due = min(self.due, now + ACK_DELAY_MAX_S)

    def take(self, now):
        """The frame that acknowledges everything so far."""
        self.is_owed, self.prompt, self.due, self.smallest_unnamed = False, 0, float("inf"), float("inf")
        return frames.ack(self.ranges, int((now - self.largest_at) * 1e6))

    def forget_up_to(self, largest):
        """The server knows what was named up to here (P12)."""
        first = min(largest + 1, self.smallest_unnamed)
        self.ranges = [(max(low, first), high) for low, high in self.ranges if high >= first] or self.ranges[:1]

    def _insert(self, sequence):
        merged = []
        for low, high in sorted([*self.ranges, (sequence, sequence)]):
            if merged and low <= merged[-1][1] + 1:
                merged[-1] = (merged[-1][0], max(high, merged[-1][1]))
            else:
                merged.append((low, high))
        self.ranges = merged[::-1][:32]


@dataclass
class SentAck:
    """An ack that may arrive; one that is lost is not repeated."""

    owed: Owed
    largest: int

    def acknowledge(self):
        self.owed.forget_up_to(self.largest)

    def lose(self):
        pass
