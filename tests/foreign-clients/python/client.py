"""A client of the Rejoin message layer, written from PROTOCOL.md, the netcode standard and an AEAD, and nothing else."""

import random
import secrets
import time
from collections import deque
from dataclasses import dataclass

import frames
import netcode
from clock import Clock, Lead
from frames import PAYLOAD_BYTES_MAX, UNORDERED_LANE
from lanes import InLane, OutLane
from path import Ended, Path
from recovery import Owed, Recovery, Sent, SentAck

OPENING_EVERY_S = 0.1
REDUNDANCY = 4
PROMPT = {frames.HELLO, frames.WELCOME, frames.LANE, frames.FRAGMENT, frames.DRAINING, *range(frames.LOGIN, frames.GOODBYE)}
UNACKNOWLEDGED = {frames.ACK, frames.GOODBYE, frames.PATH_CHALLENGE, frames.PATH_RESPONSE}  # P12


@dataclass
class Repeated:
    """A login or a value: goes out until it is acknowledged or replaced."""

    client: "Client"
    name: object  # what a newer one replaces
    octets: bytes

    def is_wanted(self):
        return self.client.repeated.get(self.name) is self

    def acknowledge(self):
        if self.is_wanted():
            del self.client.repeated[self.name]

    def lose(self):
        if self.is_wanted() and self not in self.client.queue:
            self.client.queue.appendleft(self)


class Client:
    """One session. `messages`, `datagrams`, `values`, `states`, `refusals` and `announcements` hold what came."""

    def __init__(self, token, loss=0.0, seed=0):
        self.loss, self.random = loss, random.Random(seed)
        self.lane_epoch = secrets.randbits(64) | 1
        self.welcome, self.is_logged_in, self.attempt = None, False, 0
        self.resume_tokens, self.spent = {}, 0
        self.messages, self.datagrams, self.values, self.states, self.refusals = [], [], [], [], []
        self.announcements = []
        self.next_input_tick, self.acknowledged_tick, self.inputs = 0, -1, deque(maxlen=REDUNDANCY)
        self.repeated = {}
        self._open(netcode.parse_token(token))

    def _open(self, token):
        """Opens a key epoch (P25)."""
        self.path = Path(token, self.loss, self.random)
        self.path.connect()
        self.recovery, self.owed = Recovery(), Owed()
        self.is_open, self.beat_at, self.heard_at = False, 0.0, 0.0
        self.once, self.queue = [], deque(self.repeated.values())
        self.path_responses = deque(maxlen=2)

    # What the game calls.

    def log_in(self, credential):
        """P30."""
        self.attempt += 1
        self._repeat("login", frames.frame(frames.LOGIN, self.attempt, frames.string(credential)))

    def send(self, lane, message):
        self.out_lanes[lane].push(message)

    def send_datagram(self, message):
        self.once.append(frames.frame(frames.DATAGRAM, frames.string(message)))

    def set_value(self, key, value):
        """P72: only the newest of each key is kept."""
        self.versions[key] = self.versions.get(key, 0) + 1
        self._repeat(key, frames.frame(frames.LATEST, key, self.versions[key], frames.string(value)))

    def move(self, content):
        """Sends an input, for a tick that the server has not simulated when it arrives; gives that tick."""
        server_tick = self.clock.tick(time.monotonic())
        tick = self.next_input_tick
        if server_tick is not None:
            tick = max(tick, int(server_tick) + self.lead.ticks())
            self.lead.assumed[tick] = int(server_tick)
        self.next_input_tick = tick + 1
        self.inputs.appendleft((tick, content))
        self.once.append(frames.moves([old for old in self.inputs if old[0] > self.acknowledged_tick]))
        return tick

    def resume(self):
        """P60: comes back through another port with the lowest unspent token."""
        self.path.socket.close()
        generation = min(self.resume_tokens)
        self._open(self.resume_tokens[generation])
        self.spent = generation
        del self.resume_tokens[generation]

    def leave(self):
        """P38."""
        packet = Packet()
        packet.add(frames.frame(frames.GOODBYE, b"\0", frames.string(b"")))
        self._transmit(time.monotonic(), packet)
        for _ in range(10):
            self.path.transmit(self.path.channel.seal(netcode.DISCONNECT)[0])

    def run_until(self, condition, within_s=10.0):
        """Keeps the session going until something holds; raises `TimeoutError` if it does not in time."""
        deadline = time.monotonic() + within_s
        while not condition():
            if time.monotonic() >= deadline:
                raise TimeoutError
            self.poll(0.004)

    def poll(self, wait_s):
        """One turn: what came, and then what is due."""
        for kind, sequence, content in self.path.receive(wait_s):
            if kind == netcode.DISCONNECT:
                raise Ended("disconnected")
            if kind == netcode.PAYLOAD:
                self._handle_payload(time.monotonic(), sequence, frames.parse(content))
        self._send(time.monotonic())

    # In.

    def _handle_payload(self, now, sequence, received):
        for kind, fields in received:
            if kind == frames.GOODBYE:
                raise Ended(f"goodbye {fields}")
        if not self.is_open and not self._is_welcome(*received[0]):
            return  # P22 and P23
        self.heard_at = now
        kinds = {kind for kind, _ in received}
        self.owed.handle_packet(now, sequence, bool(kinds - UNACKNOWLEDGED), bool(kinds & PROMPT))
        for kind, fields in received:
            _HANDLERS[kind](self, now, fields)

    def _is_welcome(self, kind, fields):
        return kind == frames.WELCOME and fields["version"] == 1 and fields["lane_epoch"] == self.lane_epoch

    def _handle_welcome(self, now, welcome):
        if self.is_open:
            return
        self.is_open, is_first, self.welcome = True, self.welcome is None, welcome
        if is_first:
            self.clock, self.lead = Clock(welcome["tick_hz"]), Lead(welcome["tick_hz"])
        if is_first or not welcome["flags"] & frames.KEPT:
            lanes, window = [*range(welcome["lanes"]), UNORDERED_LANE], welcome["lane_window"]
            self.out_lanes = {lane: OutLane(lane, window) for lane in lanes}
            self.in_lanes = {lane: InLane(lane, window, welcome["message_limit"]) for lane in lanes}
            self.versions, self.versions_in = {}, {}
            self.repeated = {name: item for name, item in self.repeated.items() if name == "login"}
        for lane in self.out_lanes.values():
            lane.requeue_all()
        if welcome["flags"] & frames.LOGGED_IN:
            self._handle_login_accepted(now, self.attempt)
        if welcome["mark"] is not None:
            self.acknowledged_tick = max(self.acknowledged_tick, welcome["mark"])
        self.next_input_tick = 1 + max(self.next_input_tick - 1, self.acknowledged_tick, welcome["server_tick"])  # P26

    def _handle_ack(self, now, ack):
        self.recovery.handle_ack(now, *ack)

    def _handle_heartbeat(self, _now, stamp):
        self.once.append(frames.frame(frames.HEARTBEAT_RESPONSE, stamp, 0, 0, 0, b"\0"))

    def _handle_path_challenge(self, _now, value):
        """P41."""
        self.path_responses.append(frames.frame(frames.PATH_RESPONSE, value))

    def _handle_heartbeat_response(self, now, response):
        stamp, delay_us, tick, phase_us, judged = response
        self.clock.handle_response(now, now - (stamp + delay_us) / 1e6, tick, phase_us)
        if judged:
            self.lead.handle_judgement(*judged)

    def _handle_login_accepted(self, _now, _attempt):
        self.is_logged_in = True
        self.repeated.pop("login", None)

    def _handle_login_rejected(self, _now, refusal):
        attempt, attempts_left, code, text = refusal
        if attempt == self.attempt and len(self.refusals) < attempt:
            self.refusals.append((attempts_left, code, text.decode()))

    def _handle_piece(self, piece, is_last):
        lane, number, octets = piece
        self.messages += [(lane, whole) for whole in self.in_lanes[lane].take(number, octets, is_last)]

    def _handle_resume_token(self, _now, token):
        generation, expire, nonce, private, keys, count, addresses = token
        addresses, _ = netcode.parse_addresses(addresses, 0, count)
        token = netcode.Token(self.path.token.protocol_id, expire, nonce, private, addresses, keys, 0)
        if generation > self.spent:
            self.resume_tokens[generation] = token

    def _handle_draining(self, _, announcement):
        """P81: of each announcement once."""
        if not self.announcements or announcement[0] > self.announcements[-1][0]:
            self.announcements.append(announcement)

    def _handle_state(self, _now, state):
        tick, acknowledged, content = state
        if not self.states or tick > self.states[-1][0]:
            self.states.append((tick, content))
            self.acknowledged_tick = max(self.acknowledged_tick, -1 if acknowledged is None else acknowledged)

    def _handle_latest(self, _now, latest):
        key, version, value = latest
        if version > self.versions_in.get(key, 0):
            self.versions_in[key] = version
            self.values.append((key, value))

    # Out.

    def may_play(self):
        """P20 and P27: whether more may be sent than what opens a key epoch and logs in."""
        return self.is_open and self.is_logged_in

    def _repeat(self, name, octets):
        self.repeated[name] = item = Repeated(self, name, octets)
        self.queue.append(item)

    def _send(self, now):
        self.recovery.find_lost(now)
        probes = self.recovery.probe(now)
        if now >= self.beat_at + self._heartbeat_s(now) or (probes and not self._has_more(now, probes)):
            self.beat_at = now
            self.once.append(frames.frame(frames.HEARTBEAT, int(now * 1e6)))
        while self._has_more(now, probes) or now >= self.owed.due:
            self._send_packet(now, probes)
            probes = max(probes - 1, 0)

    def _heartbeat_s(self, now):
        """P20 and P35."""
        if not self.is_open:
            return OPENING_EVERY_S
        usual_s = max(self.welcome["heartbeat_ms"], 10) / 1000
        is_silent = 1.5 * usual_s <= now - self.heard_at < 4 * usual_s
        return max(usual_s / 4, 0.01) if is_silent else usual_s

    def _has_more(self, now, probes):
        return bool(self.path_responses or self.once or self._is_queue_open() or self._may_send_pieces(now, probes))

    def _is_queue_open(self):
        while self.queue and not self.queue[0].is_wanted():
            self.queue.popleft()
        return self.queue and (self.may_play() or self.queue[0].name == "login")

    def _may_send_pieces(self, now, probes):
        has_pieces = self.may_play() and any(lane.next_piece() for lane in self.out_lanes.values())
        return has_pieces and (probes > 0 or self.recovery.allows_pieces(now))

    def _send_packet(self, now, probes):
        packet = Packet()
        may_send_pieces = self._may_send_pieces(now, probes)
        if not self.is_open:
            packet.add(frames.frame(frames.HELLO, frames.MAGIC, 1, self.lane_epoch.to_bytes(8, "little")))
        while self.path_responses:
            packet.add(self.path_responses.popleft())
        if self.owed.is_owed:
            packet.add(self.owed.take(now), SentAck(self.owed, self.owed.ranges[0][1]))
        self.once.sort(key=lambda octets: (octets[0] > frames.GOODBYE, octets[0] != frames.MOVES))  # P16
        while self.once and packet.add(self.once[0]):
            del self.once[0]
        while self._is_queue_open() and packet.add(self.queue[0].octets, self.queue[0]):
            self.queue.popleft()
        turns = deque(self.out_lanes.values() if may_send_pieces else [])
        while turns:  # P53
            lane = turns.popleft()
            piece = lane.next_piece()
            if piece and packet.add(piece.octets, piece):
                lane.pop()
                turns.append(lane)
        self._transmit(now, packet)

    def _transmit(self, now, packet):
        sealed, sequence = self.path.channel.seal(netcode.PAYLOAD, packet.payload)
        self.path.transmit(sealed)
        is_prompt = bool(packet.kinds & PROMPT)
        if packet.kinds - UNACKNOWLEDGED:
            self.recovery.in_flight[sequence] = Sent(now, len(packet.payload), is_prompt, packet.contents)
        if packet.kinds & {frames.LANE, frames.FRAGMENT}:
            self.recovery.allowance -= len(packet.payload)


class Packet:
    """A payload that is being filled."""

    def __init__(self):
        self.payload, self.kinds, self.contents = b"", set(), []

    def add(self, octets, content=None):
        """Puts a frame in if it fits and may come again in one payload (P9)."""
        is_once = octets[0] <= frames.HEARTBEAT_RESPONSE and octets[0] in self.kinds
        if is_once or len(self.payload) + len(octets) > PAYLOAD_BYTES_MAX:
            return False
        self.payload += octets
        self.kinds.add(octets[0])
        self.contents += [content] if content else []
        return True


_HANDLERS = {
    frames.WELCOME: Client._handle_welcome,
    frames.ACK: Client._handle_ack,
    frames.HEARTBEAT: Client._handle_heartbeat,
    frames.HEARTBEAT_RESPONSE: Client._handle_heartbeat_response,
    frames.PATH_CHALLENGE: Client._handle_path_challenge,
    frames.LOGIN_ACCEPTED: Client._handle_login_accepted,
    frames.LOGIN_REJECTED: Client._handle_login_rejected,
    frames.RESUME_TOKEN: Client._handle_resume_token,
    frames.DRAINING: Client._handle_draining,
    frames.LANE: lambda client, _, piece: client._handle_piece(piece, True),
    frames.FRAGMENT: lambda client, _, piece: client._handle_piece(piece, False),
    frames.DATAGRAM: lambda client, _, message: client.datagrams.append(message),
    frames.STATE: Client._handle_state,
    frames.LATEST: Client._handle_latest,
}
