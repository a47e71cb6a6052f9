#!/usr/bin/python3
"""Work nobody waits for: fits of clients that have gone end, and none holds up the end. # tsan"""
import json
import re
import signal
import time

from wire import Wire
import tap
from daemon import Daemon

LONG = {'study': 'marin-moe', 'law': 'joint', 'starts': 100000, 'bootstrap': 10000,
        'free': ['E_start', 'E_max']}
SEEN_S = 20  # a busy machine may take so long where a fraction of a second is due


def begin(wire, path, body):
    data = json.dumps(body).encode()
    wire.send(f'POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n'
              f'Content-Length: {len(data)}\r\n\r\n'.encode() + data)


def gauge(daemon, name):
    return float(re.search(rf'^{name} (\S+)$', daemon.get('/metrics').body.decode(), re.M)[1])


def wait_for(daemon, name, value):
    until = time.monotonic() + SEEN_S
    while gauge(daemon, name) != value:
        assert time.monotonic() < until, f'{name} is {gauge(daemon, name)}, not {value}'
        time.sleep(0.05)


def fits_of(daemon):
    return [fit['id'] for fit in daemon.get('/v1/fits?study=marin-moe').json['items']]


@tap.test
def a_fit_ends_when_its_client_goes_and_so_do_those_that_wait():
    daemon = Daemon('--fit-threads', '1')
    daemon.load_sample()
    clients = [Wire(daemon) for _ in range(3)]
    for client, path in zip(clients, ('/v1/fits', '/v1/fits', '/v1/compare')):
        begin(client, path, LONG if path == '/v1/fits' else
              {key: value for key, value in LONG.items() if key != 'law'} |
              {'laws': ['joint', 'chinchilla']})
    wait_for(daemon, 'moeplan_fits_running', 1)
    wait_for(daemon, 'moeplan_fits_queued', 2)
    for client in clients:
        client.socket.close()
    wait_for(daemon, 'moeplan_fits_queued', 0)
    wait_for(daemon, 'moeplan_fits_running', 0)
    assert fits_of(daemon) == []
    assert '"code":"cancelled"' in daemon.log()
    daemon.close()


@tap.test
def a_fit_whose_client_waits_goes_on():
    daemon = Daemon()
    daemon.load_sample()
    fit = daemon.post('/v1/fits', {**LONG, 'starts': 64, 'bootstrap': 0})
    assert fit.status == 201, fit
    assert fits_of(daemon) == [fit.json['id']]
    daemon.close()


@tap.test
def a_fit_under_way_does_not_hold_up_the_end():
    daemon = Daemon('--drain-ms', '2000')
    daemon.load_sample()
    with Wire(daemon) as client:
        begin(client, '/v1/fits', LONG)
        wait_for(daemon, 'moeplan_fits_running', 1)
        daemon.process.send_signal(signal.SIGTERM)
        began = time.monotonic()
        assert daemon.process.wait(60) == 0
        took = time.monotonic() - began
        assert 1 < took < 2 + SEEN_S, took
        reply = client.reply()
        assert reply.status == 503 and 'retry-after' in reply.headers, reply
    daemon.close()


if __name__ == '__main__':
    tap.main()
