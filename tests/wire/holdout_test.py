#!/usr/bin/python3
"""The hold-out: what a fit of the cheap runs, made by hand, says of the dear ones."""
import math
import random

from checked import Checked
import tap

LAW = {'E_inf': 1.8, 'A': 480.0, 'B': 2000.0, 'alpha': 0.348, 'beta': 0.366}
RUNS = 60
daemon = Checked()


def loss(n, d, c):
    return c['E_inf'] + c['A'] / n ** c['alpha'] + c['B'] / d ** c['beta']


def rows():
    """Some say what they cost, which need not be 6·N·D."""
    chance = random.Random(5)
    made = []
    for i in range(RUNS):
        n, d = math.exp(chance.uniform(17, 23)), math.exp(chance.uniform(21, 27))
        row = {'name': f'run-{i}', 'n_active': n, 'tokens': d,
               'loss': loss(n, d, LAW) * math.exp(chance.gauss(0, 0.005))}
        if i % 7 == 0:
            row['train_flops'] = 6 * n * d * chance.choice([1.5, 4])
        made.append(row)
    return made


def flops(row):
    return row.get('train_flops', 6 * row['n_active'] * row['tokens'])


def study(name, made):
    assert daemon.request('PUT', f'/v1/studies/{name}', {}).status == 201
    assert daemon.post(f'/v1/experiments?study={name}', made).status == 201


def fit(name, **options):
    answer = daemon.post('/v1/fits', {'study': name, 'law': 'chinchilla', 'bootstrap': 100, **options})
    assert answer.status == 201, answer
    return answer.json


RANKED = sorted(rows(), key=flops)
study('all', RANKED)


def judge(name, holdout, cheap):
    """Holds the fit's own word against a fit of the cheap runs alone."""
    study(name, RANKED[:cheap])
    alone, dear = fit(name, seed=4), RANKED[cheap:]
    told = fit('all', holdout=holdout, seed=4)['holdout']
    predicted = daemon.post('/v1/predict', {'fit': alone['id'], 'items': [
        {'n_active': row['n_active'], 'tokens': row['tokens']} for row in dear]}).json['items']
    off = [math.log(row['loss'] / loss(row['n_active'], row['tokens'], alone['coefficients']))
           for row in dear]
    nats = [row['loss'] - at['loss'] for row, at in zip(dear, predicted)]
    percent = [100 * abs(at['loss'] / row['loss'] - 1) for row, at in zip(dear, predicted)]
    inside = [at['prediction_interval'][0] <= row['loss'] <= at['prediction_interval'][1]
              for row, at in zip(dear, predicted)]
    expected = {
        'points': len(dear), 'min_flops': flops(dear[0]), 'coverage': sum(inside) / len(dear),
        'rmse_log': math.sqrt(sum(r * r for r in off) / len(off)),
        'mae_log': sum(map(abs, off)) / len(off), 'max_abs_log': max(map(abs, off)),
        'rmse_loss': math.sqrt(sum(r * r for r in nats) / len(nats)),
        'mae_loss': sum(map(abs, nats)) / len(nats),
        'mae_percent': sum(percent) / len(percent), 'max_abs_percent': max(percent)}
    assert set(told) == set(expected), told
    for member, value in expected.items():
        assert math.isclose(told[member], value, rel_tol=1e-6), (member, told, expected)


@tap.test
def a_fraction_holds_out_the_dearest_runs():
    judge('four-fifths', {'fraction': 0.2}, 48)
    judge('two-thirds', {'fraction': 0.33}, 40)


@tap.test
def a_fraction_of_whole_runs_is_so_many():
    """As doubles 0.14 · 50 and 0.56 · 50 are a little beyond 7 and 28."""
    study('fifty', RANKED[:50])
    for percent in (7, 10, 14, 28, 40, 56):
        held = fit('fifty', holdout={'fraction': percent / 100}, bootstrap=0)['holdout']['points']
        assert held == -(-percent * 50 // 100), (percent, held)


@tap.test
def a_limit_holds_out_what_costs_as_much():
    judge('below', {'min_flops': flops(RANKED[45])}, 45)


@tap.test
def runs_of_one_cost_stay_together():
    same = [{**row, 'train_flops': 1e24} if i >= 50 else row for i, row in enumerate(RANKED)]
    study('same', same)
    assert fit('same', holdout={'fraction': 0.05})['holdout']['points'] == 10


tap.main(daemon.close)
