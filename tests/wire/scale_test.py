#!/usr/bin/python3
"""Studies with many runs: fitted whole, in memory that grows with the runs and no faster."""
import math
import random

from checked import Checked
import tap

RUNS = 20000
BYTES_PER_RUN = 600
PLANTED = {'E_inf': 1.8, 'A': 480.0, 'B': 2000.0, 'alpha': 0.348, 'beta': 0.366}


def runs(count):
    """Chinchilla's law with 0.5 % noise, as CSV."""
    chance = random.Random(20)
    lines = ['n_active,n_total,tokens,loss']
    for _ in range(count):
        n = math.exp(chance.uniform(math.log(1e8), math.log(1e10)))
        d = math.exp(chance.uniform(math.log(1e9), math.log(1e12)))
        loss = PLANTED['E_inf'] + PLANTED['A'] / n ** PLANTED['alpha'] + \
            PLANTED['B'] / d ** PLANTED['beta']
        lines.append(f'{n!r},{n!r},{d!r},{loss * math.exp(chance.gauss(0, 0.005))!r}')
    return ('\n'.join(lines) + '\n').encode()


daemon = Checked('--max-answer-bytes', '2000000', '--max-fit-bytes', str(RUNS * BYTES_PER_RUN))
BODY = runs(RUNS)
posted = daemon.request('POST', '/v1/experiments', BODY, {'Content-Type': 'text/csv'})
assert posted.status == 201, posted


@tap.test
def twenty_thousand_runs_fit_in_so_many_bytes_each():
    answer = daemon.post('/v1/fits', {'law': 'chinchilla'}, timeout=300)
    assert answer.status == 201, answer
    fit = answer.json
    assert fit['points'] == RUNS
    for name, tolerance in (('E_inf', 0.01), ('alpha', 0.03), ('beta', 0.03)):
        assert abs(fit['coefficients'][name] / PLANTED[name] - 1) < tolerance, fit['coefficients']
    assert abs(fit['rmse_log'] / 0.005 - 1) < 0.03, fit['rmse_log']
    assert fit['shape']['n_total_ratio']['runs'] == RUNS


@tap.test
def more_than_is_allowed_is_refused_by_name_and_fewer_runs_are_fitted():
    tight = Checked('--max-answer-bytes', '2000000', '--max-fit-bytes', str(RUNS * 200))
    try:
        posted = tight.request('POST', '/v1/experiments', BODY, {'Content-Type': 'text/csv'})
        assert posted.status == 201, posted
        answer = tight.post('/v1/fits', {'law': 'chinchilla'}, timeout=300)
        assert answer.status == 413 and answer.json['code'] == 'no_memory', answer
        assert f'a fit of {RUNS} runs' in answer.json['detail'], answer
        assert '--max-fit-bytes' in answer.json['detail'], answer
        answer = tight.post('/v1/compare', {'laws': ['chinchilla']}, timeout=300)
        assert answer.status == 413 and '--max-fit-bytes' in answer.json['detail'], answer
        begun = tight.post('/v1/fits', {'law': 'chinchilla'}, headers={'Prefer': 'respond-async'})
        assert begun.status == 202, begun
        path = begun.headers['location']
        tight.get(path + '/events', timeout=300)
        fit = tight.get(path).json
        assert fit['status'] == 'failed', fit
        assert [w['code'] for w in fit['warnings']] == ['no_memory'], fit
        answer = tight.post('/v1/fits', {'law': 'chinchilla', 'where': {'n_active_max': 1.1e8}})
        assert answer.status == 201 and 0 < answer.json['points'] < RUNS / 10, answer
    finally:
        tight.close()


tap.main(daemon.close)
