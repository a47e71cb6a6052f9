#!/usr/bin/python3
"""Plans over HTTP against the floor: libmicrohttpd answering 200 fixed bytes with the same flags and
threads, and the plainest loop (floor/http_floor.c). Interleaved rounds, the median of the rounds'
ratios."""
import contextlib
import http.client
import json
import os
import subprocess
import time

import bench
import load
from daemon import Daemon, free_port

FLOOR = bench.ROOT / 'tests/bench/floor/http_floor.c'
EXPERTS = '1,2,4,8,16,32,64,128'
PLAN = f'/v1/plan?experts={EXPERTS}&compute=%s'
FIT_STUDY, DRAWS = 'drawn', 1000
SECONDS = 2


class Floor:
    """The fixed server, built for the occasion; it ends when its standard input does."""

    def __init__(self, folder, threads):
        binary = folder / 'http_floor'
        subprocess.run(['cc', '-std=c17', '-O2', '-D_GNU_SOURCE', '-o', binary, FLOOR,
                        '-lmicrohttpd', '-pthread'], check=True)
        self.port = free_port()
        self.url = f'http://127.0.0.1:{self.port}'
        self.process = subprocess.Popen([binary, str(self.port), str(threads)],
                                        stdin=subprocess.PIPE)
        for _ in range(200):
            with contextlib.suppress(OSError):
                assert len(self.body()) == 200
                return
            time.sleep(0.02)
        raise RuntimeError('the floor does not answer')

    def body(self):
        connection = http.client.HTTPConnection('127.0.0.1', self.port, timeout=10)
        try:
            connection.request('GET', '/')
            return connection.getresponse().read()
        finally:
            connection.close()

    def close(self):
        self.process.stdin.close()
        assert self.process.wait(10) == 0


def drawn_fit(daemon):
    """A fit of the sample with bootstrap draws; None where the service makes none yet."""
    daemon.load_sample(FIT_STUDY)
    made = daemon.post('/v1/fits', {'study': FIT_STUDY, 'law': 'joint', 'bootstrap': DRAWS},
                       timeout=600)
    return made.json['id'] if made.status == 201 else None


def ratios(daemon, floor, path, connections):
    ours, theirs = [], []
    for _ in range(bench.ROUNDS):
        ours.append(load.run(daemon.url, connections, SECONDS, 'get', path).rate)
        theirs.append(load.run(floor.url, connections, SECONDS, 'get', '/%s').rate)
    bench.remark(f'c={connections}: moeplan {bench.spread(ours)} a second, floor '
                 f'{bench.spread(theirs)}')
    return bench.median_ratio(ours, theirs)


def main():
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(bench.scratch())
        daemon = Daemon('--log-level', 'warn')
        stack.callback(daemon.close)
        floor = Floor(folder, os.cpu_count())
        stack.callback(floor.close)
        answer = daemon.get(PLAN % '1e22' + '&fit=joint-2025')
        assert answer.status == 200, answer
        assert len(json.loads(answer.body)['candidates']) == 8
        fit = drawn_fit(daemon)
        rows = [
            ('GET plan, 8 values of E, optimum and dense', '&fit=joint-2025&fields=optimum,dense',
             '>= 0.75'),
            ('GET plan, the whole answer', '&fit=joint-2025', '>= 0.4'),
        ]
        if fit is None:
            bench.remark('fits with draws are not made yet: no row for them')
        else:
            rows.append((f'GET plan, of a fit with {DRAWS} draws', f'&fit={fit}', '>= 0.4'))
        for what, query, goal in rows:
            for connections in (16, 64):
                bench.row(f'{what}, c={connections}', 'libmicrohttpd, 200 fixed bytes',
                          ratios(daemon, floor, PLAN + query, connections), goal)


if __name__ == '__main__':
    main()
