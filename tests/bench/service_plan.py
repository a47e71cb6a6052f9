#!/usr/bin/python3
"""Plans over HTTP: against a Python service, at many connections, and while a fit runs."""
import contextlib
import http.client
import json
import os
import statistics
import threading

import bench
import load
import reference
import runs
from daemon import Daemon, free_port

EXPERTS = '1,2,4,8,12,16,24,32'
QUESTION = (f'/v1/plan?fit=joint-2025&experts={EXPERTS}&memory=80e9&fields=optimum,dense'
            '&compute=%s')
SAME = 1e-6
MANY = (127, 128, 129, 256, 384, 512)
SECONDS = 2
MANY_SECONDS = 1
FIT_STUDY, FIT_RUNS = 'many', 20000
FIT = {'study': FIT_STUDY, 'law': 'joint'}


def ask(port, budget):
    connection = http.client.HTTPConnection('127.0.0.1', port, timeout=60)
    try:
        connection.request('GET', QUESTION % budget)
        response = connection.getresponse()
        body = response.read()
        assert response.status == 200, body
        return json.loads(body)
    finally:
        connection.close()


def differences(ours, theirs, path=''):
    """Where the reference's answer and ours part by more than SAME. What to build next to an
    optimum is a matter of taste, of which the reference has less: there the two may differ."""
    if isinstance(theirs, dict) and isinstance(ours, dict):
        if theirs.keys() != ours.keys():
            yield f'{path}: members {sorted(ours)}, not {sorted(theirs)}'
        for name in theirs.keys() & ours.keys() - {'architecture'}:
            yield from differences(ours[name], theirs[name], f'{path}/{name}')
    elif isinstance(theirs, (int, float)) and isinstance(ours, (int, float)):
        if abs(ours - theirs) > SAME * max(1, abs(theirs)):
            yield f'{path}: {ours!r}, not {theirs!r}'
    elif isinstance(theirs, list) and isinstance(ours, list) and len(ours) == len(theirs):
        for i, (one, other) in enumerate(zip(ours, theirs)):
            yield from differences(one, other, f'{path}/{i}')
    elif ours != theirs:
        yield f'{path}: {ours!r}, not {theirs!r}'


def check_same_answers(daemon, service):
    """Before anything is timed: both give the same answer, where memory binds and where not."""
    for budget in ('1e20', '1e21', '1e22', '1e23'):
        found = list(differences(ask(daemon.port, budget), ask(service.port, budget)))
        assert not found, f'at {budget} FLOPs: ' + '; '.join(found)


class Fits:
    """Fits of many runs, one after the other, for as long as the block lasts."""

    def __init__(self, daemon):
        self.daemon = daemon
        self.answers = []
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.fit)

    def fit(self):
        while not self.over.is_set():
            self.answers.append(self.daemon.post('/v1/fits', FIT))

    def __enter__(self):
        self.thread.start()

    def __exit__(self, kind, value, trace):
        self.over.set()
        self.thread.join()
        if kind is None:
            assert self.answers and all(a.status == 201 for a in self.answers), self.answers


def rate(service, connections=16, seconds=SECONDS):
    return load.run(service.url, connections, seconds, 'get', QUESTION).rate


def rounds(daemon, one, many):
    seen = {'daemon': [], 'one': [], 'many': [], 'fit': [], 'alone': [], 'crowds': []}
    for _ in range(bench.ROUNDS):
        seen['daemon'].append(rate(daemon))
        seen['one'].append(rate(one))
        seen['many'].append(rate(many))
        seen['alone'].append(rate(daemon))
        with Fits(daemon):
            seen['fit'].append(rate(daemon))
        seen['crowds'].append([rate(daemon, c, MANY_SECONDS) for c in MANY])
    return seen


def spread_of_crowds(rounds_of_rates):
    """How much faster the best number of connections is than the worst: each number's rate against
    its round's mean, in the median round."""
    shares = [[r / statistics.mean(rates) for r in rates] for rates in rounds_of_rates]
    usual = [statistics.median(of_one) for of_one in zip(*shares)]
    bench.remark('plans a second against the mean: ' +
                 ', '.join(f'{share:.2f} at c={c}' for c, share in zip(MANY, usual)))
    return max(usual) / min(usual)


def main():
    cores = os.cpu_count()
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(bench.scratch())
        services = []
        for processes in (1, cores):
            service = reference.Reference(free_port(), folder / 'reference.db', folder / 'log',
                                          processes)
            stack.callback(service.close)
            services.append(service)
        daemon = Daemon('--log-level', 'warn')
        stack.callback(daemon.close)
        check_same_answers(daemon, services[0])
        made = daemon.request('PUT', f'/v1/studies/{FIT_STUDY}', {})
        assert made.status == 201, made
        posted = daemon.post('/v1/experiments?study=' + FIT_STUDY, runs.csv(FIT_STUDY, FIT_RUNS),
                             headers={'Content-Type': 'text/csv'})
        assert posted.status == 201, posted
        seen = rounds(daemon, *services)

    bench.remark(f'plans a second: moeplan {bench.spread(seen["daemon"])}, reference '
                 f'{bench.spread(seen["one"])}, in {cores} processes {bench.spread(seen["many"])}; '
                 f'while a fit runs {bench.spread(seen["fit"])}')
    bench.row('GET plan, 8 values of E, optimum and dense, c=16', 'FastAPI + scipy, one process',
              bench.median_ratio(seen['daemon'], seen['one']), '>= 150')
    bench.row('the same', f'FastAPI + scipy, {cores} processes',
              bench.median_ratio(seen['daemon'], seen['many']))
    bench.row(f'GET plan, c=16, while {FIT_RUNS} runs are fitted again and again', 'no fit running',
              bench.median_ratio(seen['fit'], seen['alone']))
    bench.row(f'GET plan, fastest of c = {", ".join(map(str, MANY))}', 'slowest of them',
              spread_of_crowds(seen['crowds']), '<= 2')


if __name__ == '__main__':
    main()
