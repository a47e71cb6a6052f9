#!/usr/bin/python3
"""Slow clients and many clients: deadlines, limits, and nobody starved."""
import json
import socket
import time

from wire import RUN, Wire
import tap
from daemon import Daemon

DEADLINE_S, IDLE_S, SLACK_S = 1.0, 2.0, 1.5
daemon = Daemon('--request-deadline-ms', '1000', '--idle-ms', '2000', '--max-connections', '300',
                '--max-connections-per-ip', '200')
HOST = f'Host: 127.0.0.1:{daemon.port}\r\n'.encode()


def drip(wire, data, pause_s, least_s, most_s):
    """Sends a byte at a time until the other side ends it; that must be between least_s and most_s
    after the first byte. Returns what it said."""
    started = time.monotonic()
    wire.socket.settimeout(pause_s)
    said = b''
    for at in range(len(data)):
        try:
            wire.send(data[at:at + 1])
            got = wire.socket.recv(4096)
            said += got
            if not got or b'\r\n\r\n' in said:
                break
        except socket.timeout:
            pass
        except ConnectionError:
            break
        assert time.monotonic() - started < most_s, 'not cut off'
    took = time.monotonic() - started
    assert least_s <= took < most_s, took
    return said


@tap.test
def a_header_sent_byte_by_byte_is_cut_off_at_the_deadline():
    with Wire(daemon) as wire:
        said = drip(wire, b'GET /livez HTTP/1.1\r\n' + b'X: ' + b'y' * 1000, 0.1,
                    DEADLINE_S * 0.9, DEADLINE_S + SLACK_S)
        assert said.startswith(b'HTTP/1.1 408 '), said
        assert b'application/problem+json' in said and b'"code":"timeout"' in said, said


@tap.test
def so_is_a_request_line():
    with Wire(daemon) as wire:
        said = drip(wire, b'GET /' + b'y' * 1000, 0.1, DEADLINE_S * 0.9, DEADLINE_S + SLACK_S)
        assert said.startswith(b'HTTP/1.1 408 '), said


@tap.test
def so_is_the_header_of_a_second_request():
    with Wire(daemon) as wire:
        assert wire.ask('GET', '/livez').status == 200
        time.sleep(0.7)
        said = drip(wire, b'GET /livez HTTP/1.1\r\n' + b'X: ' + b'y' * 1000, 0.1,
                    DEADLINE_S * 0.8, DEADLINE_S + SLACK_S)
        assert said.startswith(b'HTTP/1.1 408 '), said


@tap.test
def so_is_a_body():
    with Wire(daemon) as wire:
        wire.send(b'POST /v1/experiments HTTP/1.1\r\n' + HOST +
                  b'Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n')
        said = drip(wire, b' ' * 999, 0.1, DEADLINE_S * 0.8, DEADLINE_S + SLACK_S)
        assert said.startswith(b'HTTP/1.1 408 '), said


@tap.test
def a_request_that_makes_the_deadline_is_answered():
    with Wire(daemon) as wire:
        request = b'GET /livez HTTP/1.1\r\n' + HOST + b'\r\n'
        for at in range(len(request)):
            wire.send(request[at:at + 1])
            time.sleep(0.01)
        assert wire.reply().status == 200


@tap.test
def an_idle_connection_lives_longer_than_a_request_may_take_but_not_for_ever():
    with Wire(daemon) as wire:
        assert wire.ask('GET', '/livez').status == 200
        time.sleep(DEADLINE_S + 0.4)
        assert wire.ask('GET', '/livez').status == 200
        started = time.monotonic()
        assert wire.ended() and wire.buffer == b'', wire.buffer
        assert IDLE_S * 0.9 < time.monotonic() - started < IDLE_S + SLACK_S


@tap.test
def a_connection_that_says_nothing_is_closed():
    with Wire(daemon) as wire:
        started = time.monotonic()
        assert wire.ended() and wire.buffer == b'', wire.buffer
        assert time.monotonic() - started < DEADLINE_S + SLACK_S


@tap.test
def a_hundred_slow_clients_starve_nobody():
    slow = [Wire(daemon) for _ in range(100)]
    try:
        for number, wire in enumerate(slow):
            wire.send(b'GET /livez HTT' if number % 2 else
                      b'POST /v1/experiments HTTP/1.1\r\n' + HOST +
                      b'Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n{')
        worst = 0
        for number in range(40):
            for wire in slow[number::40]:
                try:
                    wire.send(b' ')
                except ConnectionError:
                    pass
            started = time.monotonic()
            assert daemon.get('/livez').status == 200
            body = {**RUN, 'name': f'starved-{number}'}
            assert daemon.post('/v1/experiments', body).status == 201
            worst = max(worst, time.monotonic() - started)
        assert worst < 1, worst
        time.sleep(DEADLINE_S + 0.5)
        assert all(wire.ended() for wire in slow)
    finally:
        for wire in slow:
            wire.socket.close()


@tap.test
def connections_beyond_the_limit_of_an_address_are_closed_and_others_live():
    held = []
    try:
        closed = 0
        for _ in range(230):
            wire = Wire(daemon)
            held.append(wire)
        for wire in held:
            try:
                closed += wire.ask('GET', '/livez').status != 200
            except (EOFError, ConnectionError):
                closed += 1
        assert 30 <= closed <= 35, closed
    finally:
        for wire in held:
            wire.socket.close()
    time.sleep(0.3)
    with Wire(daemon) as wire:
        assert wire.ask('GET', '/livez').status == 200
        refusals = [line for line in daemon.get('/metrics').body.decode().splitlines()
                    if line.startswith('moeplan_http_connections_refused_total ')]
        assert int(refusals[0].split()[1]) == closed, refusals


@tap.test
def a_client_that_does_not_read_its_answer_is_cut_off():
    """Many answers asked for, none read: once the socket's buffers are full the server waits, but
    not for ever."""
    with Wire(daemon) as wire:
        wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        request = b'GET /static/app.js HTTP/1.1\r\n' + HOST + b'\r\n'
        wire.socket.settimeout(0.5)
        started = time.monotonic()
        try:
            while time.monotonic() - started < 20:
                wire.send(request * 50)
        except socket.timeout:
            pass
        except ConnectionError:
            return
        wire.socket.settimeout(20)
        time.sleep(DEADLINE_S + IDLE_S + SLACK_S)
        assert wire.ended()
        connections = [line for line in daemon.get('/metrics').body.decode().splitlines()
                       if line.startswith('moeplan_http_connections ')]
        assert int(connections[0].split()[1]) <= 3, connections


@tap.test
def cut_off_requests_are_logged():
    lines = [json.loads(line) for line in daemon.log().splitlines()]
    assert [line for line in lines if line.get('status') == 408 and line['code'] == 'timeout']


if __name__ == '__main__':
    tap.main(daemon.close)
