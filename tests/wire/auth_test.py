#!/usr/bin/python3
"""Tokens: who may read, who may write, and a change of tokens while running."""
import json
import os
import signal
import tempfile
import time

from wire import RUN
import tap
from daemon import Daemon

READ, WRITE = 'read-0123456789abcdef', 'write-0123456789abcdef'
folder = tempfile.TemporaryDirectory()
token_file = os.path.join(folder.name, 'tokens')


def put_tokens(*lines):
    with open(token_file, 'w') as file:
        file.write('\n'.join(lines) + '\n')
    os.chmod(token_file, 0o600)


put_tokens('# who may do what', '', f'read {READ}', f'  write\t{WRITE}  ')
guarded = Daemon('--token-file', token_file)


def bearer(token):
    return {'Authorization': f'Bearer {token}'}


def post(daemon, name, headers=None):
    return daemon.post('/v1/experiments', {**RUN, 'name': name}, headers=headers)


@tap.test
def a_write_without_a_token_is_401_with_a_challenge():
    reply = post(guarded, 'none')
    assert reply.status == 401 and reply.json['code'] == 'unauthorized', reply
    assert reply.headers['www-authenticate'].startswith('Bearer'), reply.headers
    assert 'error' not in reply.headers['www-authenticate'], reply.headers


@tap.test
def a_wrong_token_is_401_and_a_read_token_403():
    for wrong in (WRITE[:-1], WRITE + 'x', WRITE.upper(), 'x', ''):
        reply = post(guarded, 'wrong', bearer(wrong))
        assert reply.status == 401, (wrong, reply)
    assert 'invalid_token' in post(guarded, 'wrong', bearer('x')).headers['www-authenticate']
    reply = post(guarded, 'reader', bearer(READ))
    assert reply.status == 403 and reply.json['code'] == 'forbidden', reply
    assert post(guarded, 'basic', {'Authorization': 'Basic eDp5'}).status == 401


@tap.test
def a_write_token_writes():
    assert post(guarded, 'writer', bearer(WRITE)).status == 201
    assert post(guarded, 'scheme in any case', {'Authorization': f'bearer {WRITE}'}).status == 201


@tap.test
def reads_and_plans_need_no_token_unless_asked_for():
    assert guarded.get('/v1/experiments').status == 200
    reply = guarded.post('/v1/plan', {'compute': 1e21, 'fit': 'joint-2025'})
    assert reply.status == 200, reply


@tap.test
def auth_reads_guards_everything_but_probes_and_the_page():
    daemon = Daemon('--token-file', token_file, '--auth-reads')
    for path in ('/v1/experiments', '/v1/version', '/metrics'):
        assert daemon.get(path).status == 401, path
        assert daemon.get(path, headers=bearer(READ)).status == 200, path
        assert daemon.get(path, headers=bearer(WRITE)).status == 200, path
    for path in ('/livez', '/readyz', '/'):
        assert daemon.get(path).status == 200, path
    daemon.close()


@tap.test
def sighup_reads_the_tokens_again():
    put_tokens('write another-0123456789')
    guarded.process.send_signal(signal.SIGHUP)
    deadline = time.monotonic() + 10
    while post(guarded, 'new', bearer('another-0123456789')).status != 201:
        assert time.monotonic() < deadline, 'the new token is not known'
        time.sleep(0.05)
    assert post(guarded, 'old', bearer(WRITE)).status == 401


@tap.test
def after_a_bad_file_the_old_tokens_hold():
    put_tokens('admin everything')
    guarded.process.send_signal(signal.SIGHUP)
    deadline = time.monotonic() + 10
    while 'could not be read again' not in guarded.log():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    reply = post(guarded, 'still', bearer('another-0123456789'))
    assert reply.status in (200, 201), reply


@tap.test
def tokens_are_neither_logged_nor_shown():
    log = guarded.log()
    for secret in (READ, WRITE, 'another-0123456789'):
        assert secret not in log
    lines = [json.loads(line) for line in log.splitlines()]
    assert [line for line in lines if line.get('status') == 401]


@tap.test
def a_token_file_others_can_read_is_warned_about():
    put_tokens(f'write {WRITE}')
    os.chmod(token_file, 0o644)
    daemon = Daemon('--token-file', token_file)
    assert 'can be read by others' in daemon.log()
    daemon.close()


if __name__ == '__main__':
    tap.main(guarded.close)
