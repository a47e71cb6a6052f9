#!/usr/bin/python3
"""What a plan says beside the optimum: prices, spread, memory, and the near-optimal set of a fit."""
import math

from checked import Checked
import tap

daemon = Checked()
daemon.load_sample()
FIT = daemon.post('/v1/fits', {'study': 'marin-moe', 'law': 'joint', 'bootstrap': 100,
                               'seed': 1}).json
OWN = {'study': 'marin-moe', 'fit': FIT['id'], 'compute': 1e21}
MEMBERS = ('prices', 'memory', 'spread')


def plan(**query):
    answer = daemon.get('/v1/plan', query)
    assert answer.status == 200, answer
    return answer.json


@tap.test
def prices_are_the_slopes_of_the_optimum():
    base = {'fit': 'joint-2025', 'compute': 1e22, 'memory': 40e9, 'experts': 8}
    prices = plan(**base, fields='prices')['prices']
    for limit in ('compute', 'memory'):
        step = base[limit] * 1e-4
        low, high = (plan(**{**base, limit: base[limit] + sign * step})['optimum']['loss']
                     for sign in (-1, 1))
        assert math.isclose(prices[limit], (high - low) / 2 / step, rel_tol=1e-4), limit
    assert math.isclose(prices['memory_gb'], prices['memory'] * 1e9)
    assert prices['max_tokens'] is None and prices['trillion_tokens'] is None
    loose = plan(fit='joint-2025', compute=1e20, memory='10TB', fields='prices')['prices']
    assert loose['memory'] == 0 and loose['compute'] < 0 and loose['day'] is None


@tap.test
def the_rule_of_thumb_is_checked():
    """By a plan for dense alone, and by predictions."""
    dense_of = {'fine-grained-e64-2024': 'fine-grained-dense-2024'}
    for fit in ('joint-2025', 'joint-granular-composed', 'sparsity-2025', *dense_of, FIT['id']):
        for compute in (1e20, 1e23):
            allowed = {'experts': '1,16,64'} if fit == FIT['id'] else {}
            answer = plan(fit=fit, compute=compute, **allowed)
            best, rule = answer['optimum'], answer['rule_of_thumb']
            assert best['experts'] > 1 and rule['experts'] == best['experts']
            assert rule['n_total'] == best['n_total']
            assert math.isclose(rule['tokens'], rule['experts'] * rule['dense_tokens'])
            other = dense_of.get(fit, fit)
            dense = plan(fit=other, experts=1, compute=6 * rule['n_total'] * rule['dense_tokens'],
                         fields='optimum')['optimum']
            assert math.isclose(dense['n_active'], rule['n_total'], rel_tol=1e-6), (fit, rule)
            assert math.isclose(dense['loss'], rule['dense_loss'], rel_tol=1e-9), (fit, rule)
            point = {name: best[name] for name in ('n_active', 'n_total', 'experts', 'granularity')}
            told = daemon.get('/v1/predict', {'fit': fit, 'tokens': rule['tokens'], **point}).json
            assert math.isclose(told['loss'], rule['loss'], rel_tol=1e-12), (fit, rule)
            assert rule['holds'] == (rule['loss'] < rule['dense_loss'])
    # The paper's own: E = 2 and 4 at some 1.1e9 parameters, where dense took 8e9 tokens.
    for experts, n_total in ((2, 1.101e9), (4, 1.071e9)):
        rule = plan(fit='joint-2025', compute=1e25, experts=experts, memory=2 * n_total,
                    fields='rule_of_thumb')['rule_of_thumb']
        assert rule['holds'] and math.isclose(rule['n_total'], n_total)
        assert 0.7 < rule['dense_tokens'] / 8e9 < 1.4, rule
    assert plan(fit='chinchilla-2024', compute=1e21)['rule_of_thumb'] is None
    assert plan(fit=FIT['id'], compute=1e21)['rule_of_thumb'] is None  # it saw no dense run
    assert plan(fit='joint-2025', compute=1e21, experts=1)['rule_of_thumb'] is None


@tap.test
def a_day_more_costs_what_its_flops_do():
    query = {'fit': 'joint-2025', 'gpu': 'h100-sxm', 'gpus': 64, 'days': 10, 'experts': 8}
    now, more = plan(**query), plan(**{**query, 'days': 10.001})
    got = (more['optimum']['loss'] - now['optimum']['loss']) / 0.001
    assert math.isclose(now['prices']['day'], got, rel_tol=1e-3), (now['prices'], got)


@tap.test
def the_spread_comes_when_asked_for():
    assert plan(**OWN)['spread'] is None
    asked, named = plan(**OWN, spread='true')['spread'], plan(**OWN, fields='spread')
    assert named == {'spread': asked}
    assert asked['draws'] == 100 and 0 < asked['answered'] <= 100
    assert math.isclose(sum(c['share'] for c in asked['choices']), asked['answered'] / 100)
    assert plan(fit='joint-2025', compute=1e21, spread='true')['spread'] is None
    body = daemon.post('/v1/plan', {**OWN, 'spread': True, 'fields': 'spread'})
    assert body.json['spread'] == asked


@tap.test
def the_spread_is_refused_where_it_would_take_too_long():
    fit = daemon.post('/v1/fits', {'study': 'marin-moe', 'law': 'joint', 'bootstrap': 10000,
                                   'starts': 4}).json['id']
    # 200 pairs of E and G for 10 000 draws
    query = {'fit': fit, 'compute': 1e21, 'experts': ','.join(map(str, range(16, 36)))}
    most, more = (','.join(map(str, range(1, n))) for n in (11, 12))
    answer = daemon.get('/v1/plan', {**query, 'granularity': more, 'spread': 'true'})
    assert answer.status == 400 and [e['parameter'] for e in answer.json['errors']] == ['spread']
    assert 'at most 200 pairs' in answer.json['detail'], answer
    answer = daemon.post('/v1/plan', {'fit': fit, 'compute': 1e21, 'fields': 'spread',
                                      'experts': list(range(16, 36)),
                                      'granularity': list(range(1, 12))})
    assert faults_of(answer) == ['/fields'], answer
    assert plan(**query, granularity=more, fields='optimum')['optimum']
    assert plan(**query, granularity=most, fields='spread')['spread']['draws'] == 10000


@tap.test
def a_dense_model_is_one_choice_whatever_the_granularity():
    """E = 1 has no G: it is planned, counted against the limit and chosen once."""
    query = {**OWN, 'compute': 1e23, 'memory': '2GB', 'experts': '1,64', 'granularity': '1,2,4'}
    spread = plan(**query, fields='spread')['spread']
    dense = [c for c in spread['choices'] if c['experts'] == 1]
    assert [c['granularity'] for c in dense] == [1], spread
    assert dense == plan(**{**query, 'granularity': 1}, fields='spread')['spread']['choices'][:1]
    fit = daemon.post('/v1/fits', {'study': 'marin-moe', 'law': 'joint', 'bootstrap': 10000,
                                   'starts': 4}).json['id']
    query = {'fit': fit, 'compute': 1e21, 'granularity': ','.join(map(str, range(1, 12))),
             'fields': 'spread'}
    most = ','.join(map(str, [1, *range(16, 34)]))  # 1 + 18·11 pairs
    assert plan(**query, experts=most)['spread']['draws'] == 10000
    answer = daemon.get('/v1/plan', {**query, 'experts': most + ',34'})
    assert answer.status == 400 and 'at most 200 pairs of E and G, not 210' in answer.json['detail']


def faults_of(answer):
    return [e['pointer'] for e in answer.json['errors']]


@tap.test
def the_spread_holds_the_optimum_and_widens_with_the_level():
    answer = plan(**OWN, spread='true', level=0.99)
    narrow = plan(**OWN, spread='true', level=0.5)['spread']
    for member in ('n_active', 'tokens', 'loss'):
        low, high = answer['spread'][member]
        assert low <= narrow[member][0] <= narrow[member][1] <= high, member
        assert low <= answer['optimum'][member] <= high, member


@tap.test
def near_optimal_reaches_as_far_as_the_interval():
    answer = plan(**OWN, slack=0)
    bound = answer['optimum']['loss_interval'][1]
    assert answer['near_optimal_loss'] == bound > answer['optimum']['loss']
    near = answer['near_optimal'][0]
    for n_active in near['n_active']:
        at = daemon.get('/v1/predict', {
            'fit': FIT['id'], 'n_active': repr(n_active), 'tokens': repr(1e21 / 6 / n_active),
            'experts': near['experts'], 'granularity': near['granularity']}).json
        assert math.isclose(at['loss'], bound, rel_tol=1e-9), (at, bound)
    assert plan(**OWN, slack=0, fields='near_optimal')['near_optimal'] == answer['near_optimal']
    wide = plan(**OWN, slack=1)
    assert math.isclose(wide['near_optimal_loss'], 2 * wide['optimum']['loss'])
    preset = plan(fit='joint-2025', compute=1e21)
    assert math.isclose(preset['near_optimal_loss'], 1.005 * preset['optimum']['loss'])


@tap.test
def plans_curves_and_predictions_have_one_interval():
    """Of fits with few draws, where quantiles of ln L would lie elsewhere than those of L."""
    for law, draws in (('joint', 20), ('chinchilla', 5), ('sparsity', 30)):
        fit = daemon.post('/v1/fits', {'study': 'marin-moe', 'law': law, 'bootstrap': draws,
                                       'seed': 2})
        assert fit.status == 201, fit
        own = {'fit': fit.json['id'], 'level': 0.8}
        for compute in (1e20, 1e22, 1e24):
            answer = plan(**own, compute=compute, fields='optimum,dense,candidates')
            rows = [c for c in answer['candidates'] if c['feasible']] + [answer['optimum']]
            curve = daemon.get('/v1/curves/experts', {**own, 'compute': compute}).json['columns']
            rows += [{'loss_interval': [curve['loss_low'][i], curve['loss_high'][i]],
                      **{name: column[i] for name, column in curve.items()}}
                     for i in range(len(curve['loss'])) if curve['feasible'][i]]
            for row in rows:
                point = {name: row[name] for name in ('n_active', 'n_total', 'tokens', 'experts',
                                                      'granularity')}
                told = daemon.get('/v1/predict', {**own, **point}).json
                assert math.isclose(told['loss'], row['loss'], rel_tol=1e-12), (law, row)
                for mean, one, run in zip(told['interval'], row['loss_interval'],
                                          told['prediction_interval']):
                    assert math.isclose(mean, one, rel_tol=1e-9), (law, told, row)
                    assert abs(run - told['loss']) > abs(mean - told['loss']) * (1 - 1e-12)


def device(**query):
    memory = plan(fit='joint-2025', compute=1e22, experts=8, **query)['memory']
    return {bucket['name']: bucket['bytes'] for bucket in memory['training_device']['buckets']}


@tap.test
def memory_is_told_bucket_by_bucket():
    answer = plan(fit='joint-2025', compute=1e22, memory=40e9, kv_tokens='32K')
    architecture, serving = answer['optimum']['architecture'], answer['memory']['serving']
    sizes = {bucket['name']: bucket['bytes'] for bucket in serving['buckets']}
    assert sizes['weights'] == 2 * architecture['n_total']
    assert sizes['kv_cache'] == 2 * 2 * 32000 * architecture['layers'] * \
        architecture['kv_heads'] * architecture['head_dim']
    assert serving['total'] == sum(sizes.values()) <= 40e9
    assert all(bucket['formula'] and bucket['source'] for bucket in serving['buckets'])


@tap.test
def recipes_shards_and_recomputation_change_it():
    whole = device()
    assert whole['gradients'] == whole['weights'] and whole['optimizer'] == 6 * whole['weights']
    for stage, sharded in enumerate((set(), {'optimizer'}, {'optimizer', 'gradients'},
                                     {'optimizer', 'gradients', 'weights'})):
        some = device(zero_stage=stage, data_parallel=64)
        for name in whole:
            assert math.isclose(some[name], whole[name] / (64 if name in sharded else 1)), name
    assert math.isclose(device(optimizer='adam-8bit')['optimizer'], 3 * whole['weights'])
    assert device(recompute='true')['activations'] < whole['activations'] / 4
    assert math.isclose(device(sequence=2048, micro_batch=6)['activations'],
                        3 * whole['activations'])


@tap.test
def the_recipe_decides_the_training_limit():
    for name, size in (('adam-bf16', 16), ('adam-bf16-fp32-grads', 18), ('adam-fp32', 16),
                       ('adam-8bit', 10), ('sgd-momentum-bf16', 12)):
        answer = plan(compute=1e21, optimizer=name, fields='constraints')
        assert answer['constraints']['train_bytes_per_param'] == size, name
    answer = plan(compute=1e21, optimizer='adam-8bit', train_bytes_per_param=20)
    assert answer['constraints']['train_bytes_per_param'] == 20
    answer = daemon.get('/v1/plan', {'compute': 1e21, 'optimizer': 'lion', 'zero_stage': 4,
                                     'data_parallel': 0, 'spread': 'perhaps'})
    assert [error['parameter'] for error in answer.json['errors']] == \
        ['optimizer', 'zero_stage', 'data_parallel', 'spread']


@tap.test
def fields_leave_them_out():
    assert list(plan(compute=1e21, fields='optimum')) == ['optimum']
    for member in MEMBERS:
        assert list(plan(compute=1e21, fields=member)) == [member]


@tap.test
def a_form_that_no_paper_published_is_told_of_fits_too():
    fit = daemon.post('/v1/fits', {'study': 'marin-moe', 'law': 'joint-granular',
                                   'fixed': {'kappa': 0.0331, 'phi': 0.684}, 'starts': 4}).json
    point = {'n_active': 1e9, 'tokens': 1e10, 'experts': 16, 'granularity': 4}
    for which, told in ((fit['id'], True), ('joint-granular-composed', True), (FIT['id'], False),
                        ('joint-2025', False)):
        for path, query in (('/v1/plan', {'compute': 1e21}), ('/v1/predict', point),
                            ('/v1/curves/isoflop', {'compute': 1e21, 'points': 2})):
            answer = daemon.get(path, {'fit': which, **query})
            assert answer.status == 200, answer
            codes = [warning['code'] for warning in answer.json['warnings']]
            assert ('composed' in codes) == told, (which, path, codes)


tap.main(daemon.close)
