#!/usr/bin/python3
"""The next runs to make: within budget and box, and worth it when made."""
import math

import numpy

from checked import Checked
import tap

daemon = Checked()
daemon.load_sample()
FIT = daemon.post('/v1/fits', {'study': 'marin-moe', 'law': 'joint', 'bootstrap': 100,
                               'seed': 1}).json
PLAN = {'compute': 1e22, 'experts': [16, 64]}
BODY = {'fit': FIT['id'], 'budget': 3e20, 'plan': PLAN}


def suggest(**more):
    return daemon.post('/v1/suggest', {**BODY, **more})


def faults(answer):
    assert answer.status in (400, 422), answer
    return [e['pointer'] for e in answer.json.get('errors', [])]


@tap.test
def runs_keep_to_budget_box_and_choices():
    answer = suggest(runs=6).json
    assert 1 <= len(answer['runs']) <= 6
    assert sum(run['train_flops'] for run in answer['runs']) == answer['flops'] <= 3e20 * (1 + 1e-9)
    sizes, tokens = (FIT['ranges'][name] for name in ('n_active', 'tokens'))
    for run in answer['runs']:
        assert math.isclose(run['train_flops'], 6 * run['n_active'] * run['tokens'], rel_tol=1e-9)
        assert sizes[0] * (1 - 1e-9) <= run['n_active'] <= 4 * sizes[1] * (1 + 1e-9)
        assert tokens[0] * (1 - 1e-9) <= run['tokens'] <= 4 * tokens[1] * (1 + 1e-9)
        assert run['experts'] in (16, 64)
    own = suggest(n_active_min=1e8, n_active_max=2e8, tokens_min=1e9, tokens_max=2e10,
                  experts=[16]).json
    assert all(1e8 * (1 - 1e-9) <= run['n_active'] <= 2e8 * (1 + 1e-9) and run['experts'] == 16
               for run in own['runs'])


@tap.test
def laws_of_all_parameters_take_sizes_from_the_runs():
    fit = daemon.post('/v1/fits', {'study': 'marin-moe', 'law': 'sparsity'}).json
    answer = daemon.post('/v1/suggest', {'fit': fit['id'], 'budget': 1e20, 'plan': {'compute': 1e22}})
    assert answer.status == 200, answer
    sizes = [row['n_active'] for row in daemon.get('/v1/experiments?study=marin-moe').json['items']]
    assert all(min(sizes) * (1 - 1e-9) <= run['n_active'] <= 4 * max(sizes) * (1 + 1e-9)
               for run in answer.json['runs'])


@tap.test
def the_target_is_the_plan():
    answer = suggest().json
    planned = daemon.post('/v1/plan', {'fit': FIT['id'], **PLAN, 'fields': 'optimum'}).json
    for name in ('experts', 'n_active', 'tokens', 'loss', 'loss_interval'):
        assert answer['target'][name] == planned['optimum'][name], name
    assert answer['constraints']['compute'] == 1e22


@tap.test
def each_run_shrinks_what_is_not_known():
    answer = suggest(runs=5).json
    steps = [answer['sd_log'], *(run['sd_log'] for run in answer['runs'])]
    assert steps == sorted(steps, reverse=True) and steps[-1] == answer['sd_log_after']
    assert math.isclose(answer['shrinkage'], 1 - steps[-1] / steps[0])
    more = suggest(runs=5, budget=3e21).json
    assert more['sd_log_after'] <= answer['sd_log_after'] * (1 + 1e-9)
    noisy = suggest(runs=5, noise=0.2).json
    assert noisy['sd_log_after'] > answer['sd_log_after'] and noisy['noise_log'] == 0.2


def slope(coefficients, run, names):
    """d ln L / d ln |coefficient| by differences, from the law as its paper writes it."""
    def ln_loss(c):
        hat = 1 / (1 / (run['experts'] - 1 + 1 / (1 / c['E_start'] - 1 / c['E_max'])) + 1 / c['E_max'])
        ln = math.log(hat)
        return math.log(
            c['a'] * hat ** c['delta'] * run['n_active'] ** (c['alpha'] + c['gamma'] * ln) +
            c['b'] * hat ** c['omega'] * run['tokens'] ** (c['beta'] + c['zeta'] * ln) + c['c'])
    step = 1e-6
    ends = [[ln_loss({**coefficients, name: coefficients[name] * (1 + sign * step)})
             for sign in (-1, 1)] for name in names]
    return [(high - low) / 2 / step for low, high in ends]


@tap.test
def no_run_elsewhere_tells_more_than_a_suggested_one():
    """Neither than one suggested twice. By information matrices of our own; swaps over a grid."""
    fit = daemon.post('/v1/fits', {'study': 'marin-moe', 'law': 'joint'}).json
    made = daemon.get('/v1/experiments?study=marin-moe').json['items']
    asked = {'fit': fit['id'], 'budget': 5e19, 'plan': {'compute': 1e22, 'memory': 80e9}}
    places = [(run['experts'], run['n_active'], run['tokens'])
              for run in suggest(**asked, within_plan=False).json['runs']]
    assert len(set(places)) < len(places), places  # the sample has one worth a replicate
    answer = suggest(**asked).json
    names = [name for name in fit['coefficients'] if name not in fit['options']['fixed']]

    def feature(run):
        return numpy.array(slope(fit['coefficients'], run, names))

    best = answer['target']
    targets = [feature({'n_active': best['n_active'] * factor, 'experts': best['experts'],
                        'tokens': best['tokens'] / factor}) for factor in (1, 0.5, 2)]
    today = sum(numpy.outer(f, f) for f in map(feature, made))

    def variance(features):
        known = today + sum(numpy.outer(f, f) for f in features)
        return sum(f @ numpy.linalg.solve(known, f) for f in targets)

    features = [feature(run) for run in answer['runs']]
    left = variance(features)
    assert math.isclose(1 - math.sqrt(left / variance([])), answer['shrinkage'], rel_tol=1e-6)
    low, high = fit['ranges']['n_active'][0], 4 * fit['ranges']['n_active'][1]
    fewest, most = fit['ranges']['tokens'][0], 4 * fit['ranges']['tokens'][1]
    for i, run in enumerate(answer['runs']):
        flops = 5e19 - answer['flops'] + run['train_flops']
        for n_active in numpy.geomspace(low, high, 20):
            for tokens in numpy.geomspace(fewest, most, 20):
                tokens = min(tokens, flops / 6 / n_active)
                for experts in (16, 32, 64):
                    roots = numpy.roots([13 / 64, 0, 2 * 50257, -n_active])
                    d = next(root.real for root in roots if root.real > 0)
                    if 2 * (2 * 50257 * d + (4 + 9 * experts) * d ** 3 / 64) > 80e9:
                        continue
                    other = {'n_active': n_active, 'tokens': tokens, 'experts': experts}
                    swapped = features[:i] + features[i + 1:] + [feature(other)]
                    assert tokens < fewest or variance(swapped) > left * (1 - 1e-3), other


def bytes_of(run, kv_tokens=0):
    """To serve it: by the formulas of the joint paper's shape."""
    d = run['d_model']
    assert math.isclose(run['n_total'], 2 * 50257 * d + (4 + 9 * run['experts']) * d ** 3 / 64,
                        rel_tol=1e-9)
    return 2 * (run['n_total'] + 2 * kv_tokens * d * d / 64)


@tap.test
def runs_keep_the_plans_memory_and_data_unless_told_otherwise():
    loose = suggest(budget=1e22, runs=8, plan={'compute': 1e22}).json['runs']
    tops = {'memory': max(map(bytes_of, loose)), 'max_tokens': max(r['tokens'] for r in loose),
            'train_memory': max(16 * r['n_total'] for r in loose),
            'max_n_active': max(r['n_active'] for r in loose)}
    for limit, share, takes in (('memory', 0.3, bytes_of),
                                ('train_memory', 0.3, lambda r: 16 * r['n_total']),
                                ('max_n_active', 0.3, lambda r: r['n_active']),
                                ('max_tokens', 0.03, lambda r: r['tokens'])):
        plan = {'compute': 1e22, limit: tops[limit] * share}
        held = suggest(budget=1e22, runs=8, plan=plan).json
        assert max(map(takes, held['runs'])) <= plan[limit] * (1 + 1e-9), (limit, held)
        assert max(map(takes, held['runs'])) > plan[limit] * 0.5, (limit, held)
        free = suggest(budget=1e22, runs=8, plan=plan, within_plan=False).json
        assert max(map(takes, free['runs'])) > plan[limit] * (1 + 1e-9), (limit, free)
        assert free['sd_log_after'] <= held['sd_log_after'] * (1 + 1e-3), limit
    plan = {'compute': 1e22, 'memory': tops['memory'] * 0.3, 'kv_tokens': 300000}
    cached = suggest(budget=1e22, runs=8, plan=plan).json['runs']
    assert max(bytes_of(run, 300000) for run in cached) <= plan['memory'] * (1 + 1e-9)


@tap.test
def a_box_beyond_the_plans_limits_is_refused_with_what_would_do():
    box = {'n_active_min': 5e8, 'n_active_max': 1e9, 'tokens_min': 1e10, 'tokens_max': 2e10}
    plan = {'compute': 1e22, 'memory': 0.9e9, 'max_tokens': 5e9, 'experts': [1, 2]}
    answer = suggest(plan=plan, **box)
    assert answer.status == 422 and answer.json['code'] == 'infeasible', answer
    assert faults(answer) == ['/plan/memory', '/plan/max_tokens'], answer
    least = {e['pointer'].split('/')[-1]: float(e['detail'].split(' takes ')[1].split()[0])
             for e in answer.json['errors']}
    by_gpus = suggest(plan={'compute': 1e22, 'gpu': 'a100-80gb', 'memory_gpus': 0.9 / 80, 'max_tokens': 5e9,
                            'experts': [1, 2]}, **box)
    assert faults(by_gpus) == ['/plan/memory_gpus', '/plan/max_tokens'], by_gpus
    takes = float(by_gpus.json['errors'][0]['detail'].split(' takes ')[1].split()[0])
    assert math.isclose(takes * 80e9, least['memory'], rel_tol=1e-6), (takes, least)
    assert least['max_tokens'] == 1e10
    assert suggest(plan={**plan, **least}, budget=1e20, **box).status == 200
    for name, value in least.items():
        less = suggest(plan={**plan, **least, name: value * 0.999}, budget=1e20, **box)
        assert faults(less) == [f'/plan/{name}'], less
    both = suggest(plan=plan, budget=1e18, **box)
    assert faults(both) == ['/plan/memory', '/plan/max_tokens', '/budget'], both
    cheapest = float(both.json['errors'][2]['detail'].split(' takes ')[1].split()[0])
    assert suggest(plan={**plan, **least}, budget=cheapest, **box).status == 200
    assert faults(suggest(plan={**plan, **least}, budget=cheapest * 0.999, **box)) == ['/budget']
    assert suggest(plan=plan, within_plan=False, budget=1e20, **box).status == 200
    assert faults(suggest(within_plan='yes')) == ['/within_plan']


@tap.test
def pairs_are_at_most_64_and_a_dense_model_is_one():
    for most, status in ((63, 200), (64, 400)):
        answer = suggest(experts=[1, 16], granularity=list(range(1, most + 1)), runs=1)
        assert answer.status == status, answer
        assert status == 200 or faults(answer) == ['/experts'], answer


@tap.test
def the_same_question_has_the_same_answer():
    assert suggest().body == suggest().body


@tap.test
def budgets_in_accelerators_are_targets_too():
    answer = suggest(plan={'gpu': 'h100-sxm', 'gpus': 64, 'days': 10, 'memory': 8e10}).json
    assert answer['constraints']['gpu'] == 'h100-sxm'
    answer = suggest(plan={'objective': 'compute', 'target_loss': FIT['coefficients']['c'] + 0.8})
    assert answer.status == 200, answer


@tap.test
def published_coefficients_have_no_runs_to_follow():
    answer = daemon.post('/v1/suggest', {'fit': 'joint-2025', 'budget': 1e20, 'noise': 0.01,
                                         'plan': {'compute': 1e21}})
    assert answer.status == 422 and answer.json['code'] == 'too_few_experiments', answer
    assert 'runs' in answer.json['detail']


@tap.test
def runs_are_enough_draws_or_not():
    bare = daemon.post('/v1/fits', {'study': 'marin-moe', 'law': 'joint', 'seed': 1}).json
    asked = {**BODY, 'fit': bare['id'], 'runs': 3}
    answer = daemon.post('/v1/suggest', asked)
    assert answer.status == 200, answer
    assert answer.json['runs'] == suggest(runs=3).json['runs']


@tap.test
def many_runs_take_all_of_the_budget():
    answer = suggest(runs=64, budget=1e21).json
    assert len(answer['runs']) > 16 and answer['flops'] > 0.99e21
    assert answer['sd_log_after'] < suggest(runs=2, budget=1e21).json['sd_log_after']


@tap.test
def the_fits_own_runs_must_be_there():
    """A fit whose runs were changed since says nothing of what those left would determine."""
    rows = [{'n_active': n, 'tokens': n * r, 'loss': 2 + 400 / n**0.34 + 2000 / (n * r)**0.37}
            for n in (1e8, 2e8, 4e8, 8e8) for r in (10, 20, 60)]
    made = daemon.post('/v1/experiments', rows).json
    fit = daemon.post('/v1/fits', {'law': 'chinchilla'}).json
    asked = {'fit': fit['id'], 'budget': 1e20, 'plan': {'compute': 1e22}, 'noise': 0.005}
    assert daemon.post('/v1/suggest', asked).status == 200
    daemon.post('/v1/experiments', {'n_active': 3e8, 'tokens': 9e9, 'loss': 2.9})
    assert daemon.post('/v1/suggest', asked).status == 200  # others do not matter
    daemon.request('DELETE', f'/v1/experiments/{made["ids"][0]}')
    assert daemon.post('/v1/suggest', asked).status == 409


@tap.test
def what_is_wrong_is_named_where_it_stands():
    assert faults(daemon.post('/v1/suggest', {})) == ['/budget', '/plan']
    assert faults(suggest(plan={})) == ['/plan/compute']
    assert faults(suggest(plan={'compute': 1e21, 'days': 2})) == ['/plan/days', '/plan/compute']
    assert faults(suggest(plan={'compute': 'much', 'colour': 1})) == \
        ['/plan/compute', '/plan/colour']
    assert faults(suggest(budget=0, runs=65, noise=-1)) == ['/budget', '/runs', '/noise']
    assert faults(suggest(n_active_min=2e9, n_active_max=1e9)) == ['/n_active_min']
    assert faults(suggest(experts=list(range(1, 65)), granularity=[1, 2])) == ['/experts']
    assert faults(suggest(budget=1e10)) == ['/budget']
    assert faults(suggest(plan={'compute': 1e21, 'memory': 1000})) == ['/plan/memory']
    assert suggest(fit=999).status == 404


tap.main(daemon.close)
