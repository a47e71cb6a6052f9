#!/usr/bin/python3
"""Ends of all kinds: drained, killed, refused to start. No acknowledged run may be lost. # tsan"""
import http.client
import json
import os
import random
import signal
import subprocess
import threading
import time

from wire import RUN, Wire
import tap
from daemon import Daemon, binary, free_port

KILLS = 20
JSON = {'Content-Type': 'application/json'}


def names(daemon):
    """The names of all runs, page by page; asserts that none is there twice."""
    found, cursor = [], ''
    while cursor is not None:
        page = daemon.get(f'/v1/experiments?limit=1000{cursor}').json
        for run in page['items']:
            assert (run['n_active'], run['tokens'], run['loss']) == (1e8, 1e10, 3.0), run
            found.append(run['name'])
        cursor = page['next_cursor'] and f'&cursor={page["next_cursor"]}'
    assert len(found) == len(set(found))
    return set(found)


class Posters:
    """Clients that post runs until told to stop; what was acknowledged is remembered."""

    def __init__(self, daemon, label, count=16):
        self.daemon, self.label = daemon, label
        self.acknowledged, self.unexpected = set(), []
        self.stop = threading.Event()
        self.threads = [threading.Thread(target=self.post, args=(n,)) for n in range(count)]
        for thread in self.threads:
            thread.start()

    def post(self, number):
        try:
            connection = http.client.HTTPConnection('127.0.0.1', self.daemon.port, timeout=30)
            for i in range(10**9):
                if self.stop.is_set():
                    return
                name = f'{self.label}-{number}-{i}'
                connection.request('POST', '/v1/experiments', json.dumps({**RUN, 'name': name}), JSON)
                response = connection.getresponse()
                body = response.read()
                if response.status == 201:
                    self.acknowledged.add(name)
                elif response.status != 503:
                    self.unexpected.append((response.status, body))
        except (OSError, http.client.HTTPException):
            pass

    def join(self):
        self.stop.set()
        for thread in self.threads:
            thread.join()


@tap.test
def sigterm_finishes_what_is_in_flight_and_loses_nothing():
    daemon = Daemon()
    posters = Posters(daemon, 'drained')
    time.sleep(0.7)
    assert daemon.stop() == 0
    posters.join()
    assert posters.acknowledged and not posters.unexpected, posters.unexpected[:3]
    daemon.start()
    lost = posters.acknowledged - names(daemon)
    daemon.close()
    assert not lost, f'{len(lost)} of {len(posters.acknowledged)} lost'


@tap.test
def sigint_ends_well_too():
    daemon = Daemon()
    daemon.process.send_signal(signal.SIGINT)
    assert daemon.process.wait(30) == 0
    daemon.close()


@tap.test
def a_request_under_way_at_sigterm_is_answered_and_its_connection_closed():
    daemon = Daemon()
    body = json.dumps({**RUN, 'name': 'under-way'}).encode()
    with Wire(daemon) as wire:
        wire.send(b'POST /v1/experiments HTTP/1.1\r\nHost: localhost\r\n'
                  b'Content-Type: application/json\r\nContent-Length: %d\r\n\r\n' % len(body))
        wire.send(body[:10])
        time.sleep(0.3)
        daemon.process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        wire.send(body[10:])
        reply = wire.reply()
        assert reply.status == 201, reply
        assert reply.headers['connection'] == 'close', reply
        assert wire.ended()
    assert daemon.process.wait(30) == 0
    daemon.start()
    assert names(daemon) == {'under-way'}
    daemon.close()


@tap.test
def while_draining_readyz_is_503_and_new_connections_are_refused():
    daemon = Daemon()
    with Wire(daemon) as slow, Wire(daemon) as probe:
        slow.send(b'POST /v1/experiments HTTP/1.1\r\nHost: localhost\r\n'
                  b'Content-Type: application/json\r\nContent-Length: 100\r\n\r\n')
        assert probe.ask('GET', '/readyz').status == 200
        time.sleep(0.2)
        daemon.process.send_signal(signal.SIGTERM)
        time.sleep(0.4)
        reply = probe.ask('GET', '/readyz')
        assert reply.status == 503 and 'retry-after' in reply.headers, reply
        try:
            daemon.get('/livez')
            raise AssertionError('a new connection was let in')
        except ConnectionError:
            pass
    assert daemon.process.wait(30) == 0
    daemon.close()


@tap.test
def a_client_that_never_finishes_does_not_hold_the_end_up_for_longer_than_drain_ms():
    daemon = Daemon('--drain-ms', '500')
    with Wire(daemon) as slow:
        slow.send(b'POST /v1/experiments HTTP/1.1\r\nHost: localhost\r\n'
                  b'Content-Type: application/json\r\nContent-Length: 100\r\n\r\n')
        time.sleep(0.2)
        started = time.monotonic()
        assert daemon.stop() == 0
        assert 0.4 < time.monotonic() - started < 5
    daemon.close()


@tap.test
def kill_9_twenty_times_loses_no_acknowledged_run():
    daemon = Daemon()
    acknowledged, unexpected = set(), []
    for cycle in range(KILLS):
        posters = Posters(daemon, f'killed-{cycle}')
        time.sleep(random.uniform(0.1, 0.35))
        daemon.kill()
        posters.join()
        acknowledged |= posters.acknowledged
        unexpected += posters.unexpected
        daemon.start()
    assert not unexpected, unexpected[:3]
    assert len(acknowledged) > 2 * KILLS, len(acknowledged)
    lost = acknowledged - names(daemon)
    assert not lost, f'{len(lost)} of {len(acknowledged)} lost'
    daemon.close()


def serve(*arguments, env=None):
    """Runs a daemon that is expected not to start: exit status and what it said."""
    done = subprocess.run([binary(), 'serve', *arguments], capture_output=True, text=True,
                          timeout=60, env={**os.environ, **(env or {})})
    return done.returncode, done.stdout + done.stderr


@tap.test
def a_second_daemon_on_the_same_database_is_refused():
    daemon = Daemon()
    status, said = serve('--listen', f'127.0.0.1:{free_port()}', '--db', daemon.db)
    assert status == 1 and 'cannot start' in said, (status, said)
    assert daemon.get('/readyz').status == 200
    daemon.close()


@tap.test
def a_second_daemon_on_the_same_port_is_refused():
    daemon = Daemon()
    status, said = serve('--listen', f'127.0.0.1:{daemon.port}',
                         '--db', os.path.join(daemon.dir, 'other.db'))
    assert status == 1 and 'in use' in said, (status, said)
    daemon.close()


@tap.test
def a_database_that_cannot_be_opened_is_refused_with_a_sentence():
    status, said = serve('--listen', f'127.0.0.1:{free_port()}', '--db', '/nowhere/at/all.db')
    assert status == 1 and '/nowhere/at/all.db' in said, (status, said)


@tap.test
def beyond_loopback_tokens_are_needed_or_allow_anonymous():
    daemon = Daemon()
    other = os.path.join(daemon.dir, 'open.db')
    for address in ('0.0.0.0', '*', '[::]'):
        status, said = serve('--listen', f'{address}:{free_port()}', '--db', other)
        assert status == 1 and '--allow-anonymous' in said, (address, status, said)
        assert not os.path.exists(other)
    daemon.close()


@tap.test
def options_that_are_unknown_or_out_of_range_are_refused():
    for arguments in (['--listn', 'x'], ['extra'], ['--threads', '0'], ['--threads', 'two'],
                      ['--threads'], ['--listen', '127.0.0.1'], ['--listen', '::1:80'],
                      ['--max-body-bytes', '1e6'], ['--auth-reads'], ['--log-level', 'loud']):
        status, said = serve(*arguments)
        assert status == 2 and arguments[0] in said, (arguments, status, said)
    status, said = serve(env={'MOEPLAN_THREADS': 'many'})
    assert status == 2 and 'MOEPLAN_THREADS' in said, (status, said)


@tap.test
def help_lists_every_limit_with_its_twin():
    status, said = serve('--help')
    assert status == 0
    for option in ('max-body-bytes', 'request-deadline-ms', 'drain-ms', 'max-connections-per-ip'):
        assert f'--{option}' in said and f'MOEPLAN_{option.upper().replace("-", "_")}' in said, said


@tap.test
def the_environment_sets_options_and_the_command_line_wins():
    daemon = Daemon(env={'MOEPLAN_MAX_BODY_BYTES': '2000', 'MOEPLAN_DB': '/nowhere/at/all.db'})
    assert daemon.post('/v1/experiments', b' ' * 2001, headers=JSON).status == 413
    daemon.close()


@tap.test
def health_tells_by_its_exit_status():
    daemon = Daemon()
    command = [binary(), 'health', '--listen', f'127.0.0.1:{daemon.port}']
    assert subprocess.run(command, capture_output=True, timeout=30).returncode == 0
    daemon.stop()
    assert subprocess.run(command, capture_output=True, timeout=30).returncode == 1
    daemon.close()


if __name__ == '__main__':
    tap.main()
