"""A socket, a connect token and the netcode handshake: what a key epoch runs over. Loses packets on purpose."""

import select
import socket
import time

import netcode

SEND_EVERY_S = 0.1
ADDRESS_TIMEOUT_S = 5.0


class Ended(Exception):
    """The server said goodbye, refused, or did not answer."""


class Path:
    """One attempt to connect, and what comes of it."""

    def __init__(self, token, loss, random):
        self.token, self.loss, self.random = token, loss, random
        self.channel = netcode.Channel(token)
        self.socket = None

    def connect(self):
        """P62: tries the addresses in order."""
        for host, port in self.token.addresses:
            self.socket = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
            self.socket.setblocking(False)
            self.socket.connect((host, port))
            if self._shake_hands():
                return
            self.socket.close()
        raise Ended("nobody answers")

    def _shake_hands(self):
        challenge, responses, started, due = None, 0, time.monotonic(), 0.0
        while time.monotonic() < started + ADDRESS_TIMEOUT_S:
            if time.monotonic() >= due:
                due = time.monotonic() + SEND_EVERY_S
                responses += challenge is not None
                # Every other packet asks anew after a second without an answer: the server may have lost the handshake.
                if challenge is None or (responses * SEND_EVERY_S > 1 and responses % 2):
                    self.transmit(self.channel.request())
                else:
                    self.transmit(self.channel.seal(netcode.RESPONSE, challenge)[0])
            for kind, _, content in self.receive(max(due - time.monotonic(), 0)):
                if kind == netcode.DENIED:
                    raise Ended("denied")
                if kind == netcode.CHALLENGE:
                    challenge, due = content, due if challenge else 0.0
                if kind == netcode.KEEP_ALIVE:
                    return True
        return False

    def transmit(self, packet):
        if self.random.random() >= self.loss:
            self.socket.send(packet)

    def receive(self, wait_s):
        """Waits for packets, and opens those that came: (type, sequence, content)."""
        select.select([self.socket], [], [], wait_s)
        while True:
            try:
                packet = self.socket.recv(2048)
            except (BlockingIOError, ConnectionRefusedError):
                return
            opened = self.channel.open(packet) if self.random.random() >= self.loss else None
            if opened:
                yield opened
