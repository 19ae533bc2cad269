"""Plays against a server that sends everything back, over a path that loses packets, and says whether all came as it should.

Reads a connect token of 2,048 bytes from standard input. The share of packets to lose, each way, is the first argument.
"""

import sys
import time

from client import Client

INPUT_HZ = 60
BULK = bytes(place * 167 % 251 for place in range(150_000))  # 131 pieces


def main():
    client = Client(sys.stdin.buffer.read(2048), loss=float(sys.argv[1]), seed=7)
    client.run_until(lambda: client.is_open)

    client.log_in(b"")
    client.run_until(lambda: client.refusals)
    check("a login without a name is refused", client.refusals == [(2, 7, "a name, please")])
    client.log_in(b"Ada")
    client.run_until(lambda: client.is_logged_in and len(client.resume_tokens) >= 2)

    play(client, 1.0)
    check("inputs arrive", client.acknowledged_tick >= client.next_input_tick - INPUT_HZ)
    check("states come", len(client.states) > 5)
    check("the server tells how early inputs come", client.lead.margins)
    check("datagrams come back", len(client.datagrams) > 0)

    for number in range(20):
        for lane in [*range(client.welcome["lanes"]), 16]:
            client.send(lane, b"%d on %d" % (number, lane))
    client.send(2, BULK)
    client.set_value(3, b"old")
    client.run_until(lambda: client.in_lanes[2].partial)
    first_session = client.welcome["session"]
    client.resume()
    client.set_value(3, b"new")
    client.send(2, b"said before the welcome")
    client.run_until(lambda: (2, b"said before the welcome") in client.messages and (3, b"new") in client.values)
    check("a resume in the middle of bulk finds the same session", client.welcome["session"] == first_session)

    time.sleep(2 * client.welcome["timeout_ms"] / 1000)
    client.resume()
    client.send(1, b"back again")
    client.run_until(lambda: (1, b"back again") in client.messages)
    check("so does one after a long silence", client.welcome["session"] == first_session)
    play(client, 0.5)

    client.run_until(lambda: not client.repeated and not any(lane.unacknowledged for lane in client.out_lanes.values()))
    for lane in range(client.welcome["lanes"]):
        expected = [b"%d on %d" % (number, lane) for number in range(20)]
        expected += {1: [b"back again"], 2: [BULK, b"said before the welcome"]}.get(lane, [])
        check(f"lane {lane} brings everything once and in order", heard(client, lane) == expected)
    check("lane 16 brings everything once", sorted(heard(client, 16)) == sorted(b"%d on 16" % n for n in range(20)))
    check("the newest value is the last", client.values[-1] == (3, b"new"))
    check("that the server drains is told once, over two ways back", [(number, code) for number, code, _, _ in client.announcements] == [(1, 7)])
    _, _, remaining_ms, other = client.announcements[0]
    check("with a deadline and another address", 0 < remaining_ms <= 600_000 and other == bytes([1, 127, 0, 0, 1, 9, 0]))
    client.leave()


def play(client, seconds):
    """Sends inputs as a game does."""
    for number in range(int(seconds * INPUT_HZ)):
        due = time.monotonic() + 1 / INPUT_HZ
        if client.may_play():
            client.move(b"%d" % number)
            client.send_datagram(b"datagram %d" % number)
        while time.monotonic() < due:
            client.poll(0.004)


def heard(client, lane):
    return [message for other, message in client.messages if other == lane]


def check(what, holds):
    print("ok" if holds else "NOT OK", what)
    if not holds:
        sys.exit(1)


main()
