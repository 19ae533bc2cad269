"""What a client knows of the server's simulation: P39, and the lead of P47."""

from collections import deque

DRIFT = 1 / 5000


class Clock:
    """Estimates the server's tick."""

    def __init__(self, tick_hz):
        self.tick_hz = tick_hz
        self.told = deque(maxlen=8)  # (when, lower bound, upper bound) in ticks
        self.shown = 0.0

    def handle_response(self, now, round_trip_s, tick, phase_us):
        low = tick + phase_us / 1e6 * self.tick_hz
        self.told.append((now, low, low + max(round_trip_s, 0) * self.tick_hz))

    def tick(self, now):
        """The estimate, which never goes back; `None` before the first response."""
        while self.told:
            low = max(low + (now - at) * self.tick_hz * (1 - DRIFT) for at, low, _ in self.told)
            high = min(high + (now - at) * self.tick_hz * (1 + DRIFT) for at, _, high in self.told)
            if low <= high:
                self.shown = max(self.shown, (low + high) / 2)
                return self.shown
            self.told.popleft()
        return None


class Lead:
    """How far ahead inputs are numbered, so that they come in time."""

    def __init__(self, tick_hz):
        self.tick_hz = tick_hz
        self.assumed = {}  # by tick of an input: the tick the server was thought to be at
        self.needed = deque(maxlen=16)
        self.newest_judged = -1
        self.margins = []

    def handle_judgement(self, tick, arrived_at):
        if tick <= self.newest_judged or tick not in self.assumed:
            return
        self.newest_judged = tick
        self.margins.append(tick - arrived_at)
        self.needed.append(min(max(arrived_at - self.assumed[tick] + 1, 0), self.tick_hz))
        self.assumed = {other: assumed for other, assumed in self.assumed.items() if other > tick}

    def ticks(self):
        ranked = sorted(self.needed, reverse=True)
        return 2 if not ranked else ranked[0] if len(ranked) < 3 else ranked[1]
