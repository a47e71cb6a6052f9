#!/usr/bin/python3
"""Profiles of single coefficients over HTTP."""
import math
import random

from checked import Checked
import tap

daemon = Checked()
daemon.load_sample()


def fit(**more):
    answer = daemon.post('/v1/fits', {'study': 'marin-moe', 'law': 'chinchilla', **more})
    assert answer.status == 201, answer
    return answer.json


def profile(of, query, status=200):
    answer = daemon.get(f'/v1/fits/{of}/profile?{query}')
    assert answer.status == status, answer
    return answer.json


@tap.test
def the_profile_of_an_exponent_is_least_at_the_fit_and_rises_past_the_threshold():
    made = fit()
    got = profile(made['id'], 'coefficient=alpha&points=21&level=0.95')
    assert (got['fit'], got['coefficient'], got['level']) == (made['id'], 'alpha', 0.95)
    assert got['value'] == made['coefficients']['alpha']
    assert got['objective'] == made['objective'] == min(got['objectives'])
    assert got['values'] == sorted(got['values']) and len(got['values']) == 21
    assert got['value'] in got['values'] and len(got['objectives']) == 21
    low, high = got['interval']
    assert low < got['value'] < high and got['ends'] == ['crosses', 'crosses']
    for value, objective in zip(got['values'], got['objectives']):
        if min(abs(value - low), abs(value - high)) < 1e-3 * (high - low):
            continue  # the end itself, but for rounding
        assert (low <= value <= high) == (objective <= got['threshold'] * (1 + 1e-9)), value


@tap.test
def a_point_of_the_profile_is_the_fit_with_that_coefficient_fixed():
    for options in ({}, {'loss': 'squared'}, {'prior': {'E_inf': {'mean': 2.0, 'sd': 50}}}):
        made = fit(**options)
        got = profile(made['id'], 'coefficient=beta&points=5')
        for value, objective in list(zip(got['values'], got['objectives']))[::2]:
            again = fit(fixed={'beta': value}, **options)
            assert abs(again['objective'] / objective - 1) < 1e-6, (value, again, objective)


@tap.test
def a_wider_level_is_a_wider_interval():
    made = fit()
    spans = [profile(made['id'], f'coefficient=E_inf&points=3&level={level}')['interval']
             for level in (0.5, 0.9, 0.99)]
    assert spans[2][0] < spans[1][0] < spans[0][0] < spans[0][1] < spans[1][1] < spans[2][1], spans


@tap.test
def a_fit_with_pins_and_filters_is_profiled_as_it_was_made():
    made = fit(law='joint', where={'tokens_min': 1e9}, seed=3)
    assert set(made['options']['fixed']) == {'E_start', 'E_max'}
    got = profile(made['id'], 'coefficient=c&points=9')
    assert got['objective'] == made['objective'] and got['law'] == 'joint'
    answer = profile(made['id'], 'coefficient=E_max', 422)
    assert answer['errors'][0]['parameter'] == 'coefficient', answer


@tap.test
def no_value_that_fits_as_well_is_outside_the_interval_of_what_is_not_determined():
    """Along this valley the other coefficients move by a hundred decades."""
    made = fit(law='joint', free=['E_start', 'E_max'])
    for name, values, rest in (('E_max', (20, 300, 1e5), 'E_start'),
                               ('E_start', (1.5, 40, 300, 900), 'E_max')):
        got = profile(made['id'], f'coefficient={name}&points=3')
        low, high = got['interval']
        for value in values:
            there = fit(law='joint', fixed={name: value}, free=[rest])
            assert there['objective'] < got['threshold'], (name, value, there)
            assert low <= value and (high is None or value <= high), (name, value, got)


SPARSITY = {'a': 16612.5, 'b': 5455.67, 'c': 0.4598, 'd': 17.26, 'e': 0.94, 'alpha': 0.5962,
            'beta': 0.3954, 'lambda': -0.1666, 'delta': 0.1603, 'gamma': 0.1595}


def sparse(name, seed):
    """60 runs of the law of that name: its terms in N make up for each other along two valleys."""
    chance, c, rows = random.Random(seed), SPARSITY, []
    for i in range(60):
        n, d = math.exp(chance.uniform(17.7, 21.8)), math.exp(chance.uniform(20.7, 25.3))
        e = chance.choice((1, 2, 4, 8, 16, 32))
        total = n * (1 + 0.6 * (e - 1))
        loss = c['a'] / total ** c['alpha'] + c['b'] / d ** c['beta'] + c['c'] * e ** c['lambda'] + \
            c['d'] * e ** c['delta'] / total ** c['gamma'] + c['e']
        rows.append({'name': f'run-{i}', 'n_active': n, 'n_total': total, 'tokens': d, 'experts': e,
                     'loss': loss * math.exp(chance.gauss(0, 0.005))})
    assert daemon.request('PUT', f'/v1/studies/{name}', {}).status == 201
    assert daemon.post(f'/v1/experiments?study={name}', rows).status == 201


@tap.test
def what_the_interval_holds_is_within_the_threshold_by_its_points_too():
    """Followed from the fit alone, points were up to 4 times too high, or 3 000 times."""
    for seed in range(3):
        sparse(f'sparse-{seed}', seed)
        made = fit(study=f'sparse-{seed}', law='sparsity')
        for name in ('alpha', 'a', 'd'):
            got = profile(made['id'], f'coefficient={name}&points=9')
            low, high = (end if end is not None else sign * math.inf
                         for end, sign in zip(got['interval'], (-1, 1)))
            for value, objective in zip(got['values'], got['objectives']):
                assert not low < value < high or objective <= got['threshold'], (seed, name, got)


@tap.test
def just_beyond_an_end_no_fit_is_within_the_threshold():
    """Another valley crosses later there than the one the refits followed."""
    sparse('sparse-75', 75)
    made = fit(study='sparse-75', law='sparsity')
    got = profile(made['id'], 'coefficient=gamma&points=9')
    value = made['coefficients']['gamma']
    for end in got['interval']:
        there = fit(study='sparse-75', law='sparsity', fixed={'gamma': value + 1.03 * (end - value)})
        assert there['objective'] > got['threshold'], (there, got)


@tap.test
def what_cannot_be_profiled_is_refused_by_name():
    made = fit(fixed={'E_inf': 2.0})
    assert profile(made['id'], 'coefficient=E_inf', 422)['code'] == 'unsupported'
    for query in ('coefficient=gamma', '', 'coefficient=alpha&points=2', 'coefficient=alpha&level=1',
                  'coefficient=alpha&coefficients=beta'):
        assert profile(made['id'], query, 400)['code'] == 'invalid', query
    assert profile('99999', 'coefficient=alpha', 404)['code'] == 'fit_not_found'
    assert profile('joint-2025', 'coefficient=alpha', 422)['code'] == 'unsupported'


@tap.test
def runs_changed_since_are_a_conflict():
    daemon.load_sample('changed')
    made = fit(study='changed')
    assert profile(made['id'], 'coefficient=alpha&points=3')
    run = daemon.get('/v1/experiments?study=changed&limit=1').json['items'][0]
    path = f'/v1/experiments/{run["id"]}'
    patch = {'Content-Type': 'application/merge-patch+json'}
    assert daemon.request('PATCH', path, {'loss': run['loss'] * 1.001}, patch).status == 200
    assert profile(made['id'], 'coefficient=alpha&points=3', 409)['code'] == 'conflict'
    assert daemon.request('PATCH', path, {'loss': run['loss']}, patch).status == 200
    assert profile(made['id'], 'coefficient=alpha&points=3')
    assert daemon.request('DELETE', path).status == 204
    assert profile(made['id'], 'coefficient=alpha&points=3', 409)['code'] == 'conflict'


tap.main(daemon.close)
