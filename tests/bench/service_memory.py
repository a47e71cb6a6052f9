#!/usr/bin/python3
"""What the daemon holds in memory when it idles: empty, and with a million runs stored."""
import pathlib
import time

import bench
import runs
from daemon import Daemon

RUNS, FILE_RUNS = 1000000, 100000
STUDY = 'million'
IDLE_S = 2


def resident_mb(daemon):
    """MB of 10^6 bytes, after a pause in which buffers may go back to the system."""
    time.sleep(IDLE_S)
    status = pathlib.Path(f'/proc/{daemon.process.pid}/status').read_text()
    kib = next(line.split()[1] for line in status.splitlines() if line.startswith('VmRSS:'))
    return int(kib) * 1024 / 1e6


def ask(daemon):
    """One of everything an idle daemon has been asked at least once."""
    for path in ('/', '/readyz', '/metrics', '/v1/plan?compute=1e22&memory=80GB',
                 '/v1/experiments?limit=10'):
        answer = daemon.get(path)
        assert answer.status == 200, answer


def fill(daemon):
    assert daemon.request('PUT', f'/v1/studies/{STUDY}', {}).status == 201
    body = runs.csv(STUDY, FILE_RUNS, 'file0')
    for number in range(RUNS // FILE_RUNS):
        posted = daemon.post(f'/v1/experiments?study={STUDY}',
                             body.replace(b',file0-', b',file%d-' % number),
                             headers={'Content-Type': 'text/csv'})
        assert posted.status == 201 and posted.json['inserted'] == FILE_RUNS, posted


def main():
    daemon = Daemon('--log-level', 'warn')
    try:
        ask(daemon)
        empty = resident_mb(daemon)
        fill(daemon)
        ask(daemon)
        filled = resident_mb(daemon)
        assert daemon.stop() == 0
        daemon.start()
        ask(daemon)
        started = resident_mb(daemon)
    finally:
        daemon.close()
    bench.row('resident memory, empty, idle', 'MB', empty, '<= 40')
    bench.row(f'resident memory, {RUNS} runs just stored, idle', 'MB', filled, '<= 300')
    bench.row('the same, started anew', 'MB', started, '<= 300')


if __name__ == '__main__':
    main()
