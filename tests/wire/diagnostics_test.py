#!/usr/bin/python3
"""What fits say about themselves: every warning, provoked; studies nobody could fit, by name."""
import html
import math
import random
import re
import time

from checked import Checked
import tap

B = {'E_inf': 1.8, 'A': 480.0, 'B': 2000.0, 'alpha': 0.348, 'beta': 0.366}
J = {'a': 35.91, 'alpha': -0.1889, 'delta': -0.2285, 'gamma': 0.0098, 'b': 35.98, 'beta': -0.1775,
     'omega': 0.5529, 'zeta': -0.0259, 'E_start': 2.0732, 'E_max': 290.4521, 'c': 1.3637}
LAWS = ('chinchilla', 'joint', 'joint-granular', 'fine-grained', 'routed', 'sparsity')
REFUSALS = {'too_few_experiments', 'not_identifiable'}
HANG_S = 60
daemon = Checked()
studies = 0


def chinchilla(n, d, c=B):
    return c['E_inf'] + c['A'] / n ** c['alpha'] + c['B'] / d ** c['beta']


def joint(n, d, e, c=J):
    inverse = 1 / (e - 1 + 1 / (1 / c['E_start'] - 1 / c['E_max'])) + 1 / c['E_max']
    ln = -math.log(inverse)
    return math.exp(c['delta'] * ln) * c['a'] * n ** (c['alpha'] + c['gamma'] * ln) + \
        math.exp(c['omega'] * ln) * c['b'] * d ** (c['beta'] + c['zeta'] * ln) + c['c']


def design(count, seed=1, experts=(1, 2, 4, 8, 16, 32)):
    """(n, d, e), log-uniform."""
    chance = random.Random(seed)
    return [(math.exp(chance.uniform(math.log(5e7), math.log(3e9))),
             math.exp(chance.uniform(math.log(1e9), math.log(1e11))),
             chance.choice(experts)) for _ in range(count)]


def dense(count=40, noise=0.005, seed=1, law=B):
    chance = random.Random(seed + 100)
    return [{'n_active': n, 'tokens': d, 'n_total': n,
             'loss': chinchilla(n, d, law) * math.exp(chance.gauss(0, noise))}
            for n, d, _ in design(count, seed)]


def moving_together():
    """Runs of nearly twenty tokens a parameter."""
    chance = random.Random(3)
    return [{'n_active': n, 'tokens': d, 'experts': e, 'loss': chinchilla(n, d)}
            for n, _, _ in design(40)
            for d, e in [(20 * n * math.exp(chance.gauss(0, 0.05)),
                          chance.choice([1, 4, 16, 64]))]]


def sparse(count=80, noise=0.005, seed=1, law=J, experts=(1, 2, 4, 8, 16, 32)):
    chance = random.Random(seed + 200)
    return [{'n_active': n, 'tokens': d, 'experts': e, 'n_total': n * (1 + 0.6 * (e - 1)),
             'loss': joint(n, d, e, law) * math.exp(chance.gauss(0, noise))}
            for n, d, e in design(count, seed, experts)]


def study(rows):
    """A fresh study of these runs; repeats are runs of their own."""
    global studies
    studies += 1
    name = f's{studies}'
    assert daemon.request('PUT', f'/v1/studies/{name}', {}).status == 201
    rows = [{'name': f'run-{i}', **row} for i, row in enumerate(rows)]
    posted = daemon.post(f'/v1/experiments?study={name}', rows)
    assert posted.status == 201, posted
    return name


def numbers(value):
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return [n for item in value for n in numbers(item)]
    return [value] if isinstance(value, float) else []


def fit(name, law='chinchilla', **more):
    """A fit that ended in time, without a number that is none: 201, or a refusal that says why."""
    began = time.monotonic()
    answer = daemon.post('/v1/fits', {'study': name, 'law': law, **more}, timeout=HANG_S)
    assert time.monotonic() - began < HANG_S
    if answer.status == 201:
        assert all(math.isfinite(n) for n in numbers(answer.json)), answer
        assert answer.json['objective'] >= 0
    else:
        assert answer.status == 422 and answer.json['code'] in REFUSALS, answer
        assert len(answer.json['detail']) > 20, answer
    return answer.json


def codes(made):
    assert 'warnings' in made, made
    return {w['code'] for w in made['warnings']}


def warned(made, code):
    assert code in codes(made), (code, made)
    detail = next(w['detail'] for w in made['warnings'] if w['code'] == code)
    assert len(detail) > 40 and not re.search(r'\bnan\b|(?<!\w)inf\b', detail), detail
    provoked.add(code)


provoked = set()


@tap.test
def too_few_configurations():
    warned(fit(study(dense(8))), 'too_few_configurations')
    assert 'too_few_configurations' not in codes(fit(study(dense(40))))


@tap.test
def a_variable_that_never_varied_is_refused_with_the_cure_and_the_cure_is_warned_of():
    rows = [{**row, 'tokens': 2e10, 'loss': chinchilla(row['n_active'], 2e10)} for row in dense(30)]
    name = study(rows)
    refused = fit(name)
    assert refused['code'] == 'not_identifiable'
    cure = {e['pointer'].rsplit('/', 1)[1]: None for e in refused['errors']}
    assert set(cure) == {'B', 'beta'}, refused
    warned(fit(name, fixed={'B': 0, 'beta': 0}), 'never_varied')
    told = fit(name, prior={'B': {'mean': 2000, 'sd': 1}, 'beta': {'mean': 0.37, 'sd': 1}})
    assert any(w['code'] == 'never_varied' and 'priors' in w['detail'] for w in told['warnings'])


@tap.test
def parameters_and_tokens_that_move_together():
    warned(fit(study(moving_together())), 'collinear_n_d')


@tap.test
def a_coefficient_at_its_bound():
    made = fit(study(dense(60, noise=0.05, law={**B, 'E_inf': -0.3}, seed=5)))
    assert made['coefficients']['E_inf'] == 0
    warned(made, 'at_bound')


@tap.test
def pins_are_told_and_undone_by_free():
    name = study(sparse(experts=(1, 4, 16)))
    warned(fit(name, 'joint'), 'pinned')
    assert 'pinned' not in codes(fit(study(sparse()), 'joint'))


@tap.test
def a_law_that_averages_over_what_it_does_not_read():
    name = study(sparse(experts=(2, 8)))
    warned(fit(name), 'experts_vary')
    warned(fit(name, 'routed'), 'tokens_vary')
    assert 'experts_vary' not in codes(fit(study(dense(40))))
    rows = [{**row, 'granularity': 1 if row['experts'] == 1 else 2 ** (i % 4)}
            for i, row in enumerate(sparse())]
    warned(fit(study(rows), 'joint'), 'granularity_varies')


@tap.test
def weights_on_few_runs():
    rows = [{**row, 'weight': 1000 if i < 5 else 1} for i, row in enumerate(dense(60))]
    warned(fit(study(rows)), 'weights_concentrated')
    rows = [{**row, 'weight': 1e300 if i == 0 else 1} for i, row in enumerate(dense(60))]
    warned(fit(study(rows)), 'weights_concentrated')


@tap.test
def the_scale_of_weights_changes_no_coefficient():
    chance = random.Random(5)
    routed = [{'n_active': n, 'n_total': n * e, 'tokens': 1e11, 'experts': e,
               'loss': math.exp(chance.gauss(0, 0.01)) * 10 ** (
                   1.104 - 0.082 * math.log10(n) - 0.108 * math.log10(e) +
                   0.009 * math.log10(n) * math.log10(e))}
              for n, _, e in design(60)]
    for law, rows in (('chinchilla', dense(60)), ('joint', sparse(60)), ('routed', routed)):
        plain = fit(study(rows), law)
        for weight in (1e-300, 1e-28, 1e-9, 1e9, 1e300):
            made = fit(study([{**row, 'weight': weight} for row in rows]), law)
            assert math.isclose(made['objective'], weight * plain['objective'], rel_tol=1e-6), (
                law, weight, made['objective'] / weight, plain['objective'])


@tap.test
def a_tiny_delta_is_the_least_sum_of_distances():
    name = study(sparse(60))
    least = fit(name, 'joint', delta=1e-9)['objective'] / 1e-9
    made = fit(name, 'joint', delta=1e-12)
    assert math.isclose(made['objective'] / 1e-12, least, rel_tol=1e-5), (made, least)
    for delta in (1e-13, 1e-300, 0, -1):
        answer = daemon.post('/v1/fits', {'study': name, 'law': 'joint', 'delta': delta})
        assert answer.status == 400 and answer.json['errors'][0]['pointer'] == '/delta', answer


@tap.test
def priors_that_hold_the_fit_off_its_runs():
    name = study(sparse(12, noise=0.003, law={**J, 'c': 1.6637}))
    rest = {coefficient: value for coefficient, value in J.items() if coefficient != 'c'}

    def under(mean, sd):
        return fit(name, 'joint', fixed=rest, prior={'c': {'mean': mean, 'sd': sd}})

    off = under(1.3637, 0.1)
    warned(off, 'priors_overrule')
    assert abs(off['coefficients']['c'] - 1.3637) < 0.01
    for mean, sd in ((1.3637, 0.1 / 0.003), (1.6637, 0.1)):
        made = under(mean, sd)
        assert 'priors_overrule' not in codes(made) and abs(made['coefficients']['c'] - 1.6637) < 0.02


@tap.test
def a_prior_of_a_logarithm_has_a_mean_that_has_one():
    answer = daemon.post('/v1/fits', {'study': study(dense(20)), 'law': 'chinchilla',
                                      'prior': {'A': {'mean': 0, 'sd': 1}}})
    assert answer.status == 400 and answer.json['errors'] == [
        {'pointer': '/prior/A', 'detail': 'must have a mean greater than 0: the prior is of its '
                                          'logarithm'}], answer


@tap.test
def repeats_that_differ_more_than_the_fit_misses():
    chance = random.Random(6)
    rows = []
    for row in dense(30, noise=0):
        for sign in (1, -1):
            rows.append({**row, 'loss': row['loss'] * math.exp(sign * 0.02 * (1 + chance.random()))})
    warned(fit(study(rows), loss='squared'), 'replicate_noise')


@tap.test
def a_law_that_misses_by_more_than_repeats_differ():
    chance = random.Random(7)
    rows = []
    for i, row in enumerate(dense(30, noise=0)):
        wrong = 1 + 0.03 * math.sin(7 * math.log(row['tokens']))
        for _ in range(3):
            rows.append({**row, 'loss': row['loss'] * wrong * math.exp(chance.gauss(0, 0.001))})
    warned(fit(study(rows), loss='squared'), 'lack_of_fit')


@tap.test
def outliers_are_told_and_flagged_and_count_little():
    rows = dense(60)
    rows[7]['loss'] *= 3
    name = study(rows)
    made = fit(name)
    warned(made, 'outliers')
    shown = daemon.get(f'/v1/fits/{made["id"]}/residuals').json['items']
    assert shown[7]['outlier'] and sum(r['outlier'] for r in shown) <= 3, shown
    others = sorted(r['effective_weight'] for r in shown)
    assert shown[7]['effective_weight'] == others[0]
    assert abs(made['coefficients']['alpha'] / fit(study(dense(60)))['coefficients']['alpha'] - 1) < 0.1


@tap.test
def copies_of_a_run_are_no_repeats_of_it():
    """Means of three copies are rounded: that is no noise to hold a law's misses against."""
    for copies in (3, 6, 7):
        for loss in ('huber', 'squared'):
            made = fit(study(dense(30, seed=copies) * copies), loss=loss)
            assert not codes(made) & {'lack_of_fit', 'replicate_noise'}, (copies, made['warnings'])
    chance = random.Random(4)
    rows = dense(30, seed=3)
    repeats = [{**row, 'loss': row['loss'] * math.exp(chance.gauss(0, 0.005))} for row in rows[:5]]
    made = fit(study(rows * 20 + repeats), loss='squared')
    assert not codes(made) & {'lack_of_fit', 'replicate_noise'}, made['warnings']


@tap.test
def repeats_are_weighed_as_the_fit_weighs_them():
    """A true law; noise of 5 % and of 0.1 % by turns, weights of 1/noise^2, repeats of one kind."""
    for repeated in (True, False):
        for seed in range(4):
            chance = random.Random(seed)
            rows = []
            for i, row in enumerate(dense(60, noise=0, seed=seed)):
                noisy = i % 3 == 0
                noise = 0.05 if noisy else 0.001
                rows += [{**row, 'weight': (0.001 / noise) ** 2,
                          'loss': row['loss'] * math.exp(chance.gauss(0, noise))}
                         for _ in range(4 if noisy == repeated else 1)]
            made = fit(study(rows), loss='squared')
            assert not codes(made) & {'lack_of_fit', 'replicate_noise'}, (seed, made['warnings'])


@tap.test
def parameters_and_tokens_are_told_apart_only_where_both_are_fitted():
    name = study(moving_together())
    for law, fixed in (('chinchilla', {'B': B['B'], 'beta': B['beta']}), ('routed', {})):
        assert 'collinear_n_d' not in codes(fit(name, law, fixed=fixed)), law
    assert 'collinear_n_d' in codes(fit(name))


@tap.test
def the_level_of_intervals_is_no_measure_of_the_noise():
    """Nor do narrow intervals, which leave out half of everything, make coefficients valleys."""
    name = study(dense(40))
    reach = []
    for level in (0.01, 0.5, 0.9, 0.99, 0.9999):
        made = fit(name, level=level, bootstrap=400)
        assert 'not_determined' not in codes(made), (level, made['warnings'])
        got = daemon.get(f'/v1/predict?fit={made["id"]}&n_active=1e9&tokens=1e10&level=0.9').json
        reach.append(math.log(got['prediction_interval'][1] / got['prediction_interval'][0]))
    assert max(reach) / min(reach) < 1.5, reach


@tap.test
def what_others_make_up_for_is_not_said_to_move_nothing():
    """Two values of E tell four numbers of six; each of the six moves the losses by itself."""
    chance = random.Random(2)
    rows = [{'n_active': n, 'tokens': 1e11, 'experts': e, 'loss': math.exp(chance.gauss(0, 0.005)) *
             10 ** (1.104 - 0.082 * math.log10(n) - 0.05 * math.log10(e))}
            for n, _, e in design(40, experts=(1, 8))]
    made = fit(study(rows), 'routed', free=['E_start', 'E_max'])
    for code in ('not_determined', 'ill_conditioned'):
        warned(made, code)
    for warning in made['warnings']:
        assert 'others make up for' in warning['detail'] or warning['code'] != 'not_determined'


@tap.test
def an_infinite_e_max_is_told_in_words():
    for seed in range(8):
        made = fit(study(sparse(60, law={**J, 'E_max': 1e15}, seed=seed)), 'joint')
        if made['coefficients']['E_max'] is None:
            detail = next(w['detail'] for w in made['warnings'] if w['detail'].startswith('E_max'))
            assert 'infinity' in detail, detail
            return
    raise AssertionError('E_max never was infinite')


@tap.test
def as_many_outliers_are_told_as_are_flagged_and_what_they_count_is_what_the_loss_makes_of_them():
    told = 0
    for seed in range(12):
        rows = dense(14, seed=seed)
        for i in range(1 + seed % 3):
            rows[4 * i]['loss'] *= 1.02 + 0.01 * seed
        name = study([{**row, 'weight': 1 + i % 3} for i, row in enumerate(rows)])
        for loss in ('huber', 'squared'):
            made = fit(name, loss=loss)
            shown = daemon.get(f'/v1/fits/{made["id"]}/residuals').json['items']
            far = [(row['effective_weight'], 1 + i % 3) for i, row in enumerate(shown)
                   if row['outlier']]
            for warning in (w for w in made['warnings'] if w['code'] == 'outliers'):
                told += 1
                assert warning['detail'].startswith(f'{len(far)} of 14 runs'), (warning, far)
                counted = float(re.search(r'like ([0-9.e-]+);', warning['detail'])[1])
                share = sum(w for w, _ in far) / sum(w for _, w in far)
                assert math.isclose(counted, len(far) * share, rel_tol=0.06), (warning, far)
                assert loss == 'huber' or counted == len(far), warning
    assert told > 8, told


@tap.test
def a_slip_of_units():
    rows = dense(40)
    rows[3]['tokens'] *= 1e12
    warned(fit(study(rows)), 'extreme_values')


@tap.test
def what_the_runs_hardly_determine():
    narrow = [{'n_active': n, 'tokens': d, 'loss': chinchilla(n, d)}
              for n, d in [(1e9 * (1 + i * 1e-4), 2e10 * (1 + j * 1e-4))
                           for i in range(6) for j in range(6)]]
    warned(fit(study(narrow)), 'ill_conditioned')


@tap.test
def hold_outs_that_hold_nothing_or_leave_too_little():
    name = study(dense(40))
    warned(fit(name, holdout={'min_flops': 1e30}), 'holdout_empty')
    warned(fit(name, holdout={'fraction': 0.9}), 'holdout_failed')


@tap.test
def a_run_by_itself_does_not_pass_for_a_fit():
    for rows in (dense(1), dense(2)):
        for law in LAWS:
            assert fit(study(rows), law)['code'] in REFUSALS


@tap.test
def runs_that_are_all_equal():
    for law in LAWS:
        assert fit(study(sparse(1) * 30), law)['code'] in REFUSALS, law


@tap.test
def one_n_only():
    rows = [{**r, 'n_active': 1e9, 'n_total': 1e9 * r['experts'],
             'loss': joint(1e9, r['tokens'], r['experts'])} for r in sparse()]
    for law in ('chinchilla', 'joint'):
        refused = fit(study(rows), law)
        assert refused['code'] == 'not_identifiable', refused
        assert any(e['pointer'] in ('/fixed/alpha', '/fixed/A') for e in refused['errors']), refused


@tap.test
def one_e_only():
    refused = fit(study(sparse(experts=(8,))), 'joint')
    assert refused['code'] == 'not_identifiable'
    assert {e['pointer'] for e in refused['errors']} >= {'/fixed/delta', '/fixed/omega'}, refused


@tap.test
def tokens_fixed():
    rows = [{**r, 'tokens': 2e10, 'loss': joint(r['n_active'], 2e10, r['experts'])} for r in sparse()]
    for law in ('joint', 'chinchilla', 'sparsity'):
        assert fit(study(rows), law)['code'] == 'not_identifiable', law
    assert fit(study(rows), 'routed')['status'] == 'finished'


@tap.test
def tokens_twenty_times_the_parameters():
    rows = [{'n_active': n, 'tokens': 20 * n, 'loss': chinchilla(n, 20 * n)}
            for n, _, _ in design(40)]
    refused = fit(study(rows))
    assert refused['code'] == 'not_identifiable' and refused['errors'], refused


@tap.test
def losses_below_any_floor():
    rows = [{**row, 'loss': 1e-3 * row['loss'] * (1e9 / row['n_active']) ** 2} for row in dense()]
    for law in ('chinchilla', 'joint'):
        made = fit(study(rows), law, **({'free': []} if law == 'joint' else {}))
        assert made.get('code') in REFUSALS or codes(made) & {'at_bound', 'lack_of_fit', 'outliers',
                                                              'not_determined'}, made


@tap.test
def duplicated_rows_are_one_configuration():
    made = fit(study(dense(9) * 6))
    warned(made, 'too_few_configurations')
    assert made['points'] == 54


@tap.test
def a_floor_of_zero():
    made = fit(study(dense(80, law={**B, 'E_inf': 0.0}, noise=0.002, seed=8)))
    assert 0 <= made['coefficients']['E_inf'] < 0.5, made['coefficients']


@tap.test
def coefficients_that_could_be_anything_by_their_errors():
    """A term the losses do not have, and a saturation experts never came near."""
    for seed in range(4):
        made = fit(study(dense(60, seed=seed, law={**B, 'B': 0.0})))
        named = {w['detail'].split()[0] for w in made['warnings']
                 if w['code'] in ('not_determined', 'at_bound')}
        # Without a data term B at an exponent of 0 is a floor as good as E_inf.
        assert named & {'B', 'beta', 'E_inf'} and not named & {'A', 'alpha'}, made
        made = fit(study(sparse(150, seed=seed, experts=(1, 2, 4, 8))), 'joint')
        named = {w['detail'].split()[0] for w in made['warnings']
                 if w['code'] in ('not_determined', 'at_bound')}
        assert named and named <= {'E_start', 'E_max'}, made
        for healthy in (fit(study(dense(60, seed=seed))),
                        fit(study(sparse(150, seed=seed)), 'joint',
                            fixed={'E_start': J['E_start'], 'E_max': J['E_max']})):
            assert not codes(healthy) & {'not_determined', 'at_bound'}, healthy


@tap.test
def what_a_prior_determines_is_determined():
    """Twelve dense runs move a published law: the coefficients of E stay where the priors are."""
    prior = {name: {'mean': mean, 'sd': 1e-5 if name == 'E_max' else 0.05}
             for name, mean in J.items()}
    made = fit(study(dense(12)), 'joint', prior=prior)
    assert not codes(made) & {'not_determined', 'ill_conditioned', 'at_bound'}, made
    assert made['condition_number'] < 1e4, made
    for name in ('gamma', 'zeta', 'E_start', 'E_max'):
        assert math.isclose(made['coefficients'][name], J[name], rel_tol=0.05), (name, made)


@tap.test
def an_e_max_without_a_finite_optimum():
    daemon.load_sample()
    made = fit('marin-moe', 'joint', free=['E_start', 'E_max'])
    assert codes(made) & {'at_bound', 'not_determined'}, made
    assert codes(fit('marin-moe', 'joint')) >= {'pinned'}


@tap.test
def the_ends_of_the_doubles():
    for value in (1e-300, 1e300):
        for member in ('n_active', 'tokens', 'loss'):
            rows = sparse(40)
            rows[5][member] = value
            if member == 'n_active':
                rows[5].pop('n_total')
            name = study(rows)
            for law in ('chinchilla', 'joint'):
                made = fit(name, law)
                if 'code' not in made:
                    warned(made, 'extreme_values')
            scaled = study([{**{k: v for k, v in r.items() if k != 'n_total'}, member: value}
                            for r in sparse(40)])
            fit(scaled)


@tap.test
def draws_too_few_for_their_intervals():
    runs = study(dense(60))
    warned(fit(runs, bootstrap=19), 'few_draws')
    again = fit(runs, bootstrap=20)
    assert 'few_draws' not in codes(again)


def answers(made, **more):
    """What is told from a fit, each with intervals."""
    query = {'study': made['study'], 'fit': made['id'], **more}
    point = {'n_active': 1e9, 'tokens': 2e10}
    suggest = {'fit': made['id'], 'budget': 1e22, 'plan': {'compute': 1e21, **more}}
    curve = {**query, 'compute': 1e21, 'points': 2}
    told = [daemon.get('/v1/plan', {**query, 'compute': 1e21}),
            daemon.get('/v1/predict', {**query, **point}),
            daemon.post('/v1/predict', {**query, 'items': [point]}),
            daemon.get('/v1/curves/isoflop', curve), daemon.get('/v1/curves/contour', curve),
            daemon.post('/v1/suggest', suggest)]
    assert all(answer.status == 200 for answer in told), told
    return [answer.json for answer in told]


@tap.test
def draws_too_few_for_the_level_asked_for_are_told_where_it_is_asked():
    """The number named is enough, and one less is not."""
    runs = study(dense(60))
    made = fit(runs, bootstrap=20)
    for answer in answers(made):
        assert 'few_draws' not in codes(answer), answer
    for answer in answers(made, level=0.95):
        warned(answer, 'few_draws')
        assert '40 at least' in str(answer['warnings']), answer
    bare = daemon.get('/v1/curves/isoflop', {'study': runs, 'fit': made['id'], 'level': 0.95,
                                             'compute': 1e21, 'bands': 'false'}).json
    assert 'few_draws' not in codes(bare), bare
    for draws, few in ((40, False), (39, True)):
        for answer in answers(fit(runs, bootstrap=draws), level=0.95):
            assert ('few_draws' in codes(answer)) == few, (draws, answer)
    plan, one, *_ = answers(fit(runs, bootstrap=1))
    assert plan['optimum']['loss_interval'] is None and one['interval'] is None
    warned(plan, 'few_draws')


@tap.test
def starts_that_disagree():
    """Losses that follow no law have many optima."""
    chance = random.Random(11)
    for attempt in range(40):
        rows = [{**row, 'loss': 1 + 9 * chance.random()} for row in sparse(100, seed=attempt)]
        made = fit(study(rows), 'sparsity', starts=8, seed=attempt)
        if 'code' not in made and 'starts_disagree' in codes(made):
            warned(made, 'starts_disagree')
            return
    raise AssertionError('every attempt agreed')


@tap.test
def every_warning_of_a_fit_is_documented_with_what_to_do():
    page = daemon.get('/docs').body.decode()
    rows = dict(re.findall(r'<tr id="w-([a-z_]+)"><td><code>\1</code><td>(.*)', page))
    assert provoked >= {'too_few_configurations', 'never_varied', 'collinear_n_d', 'at_bound',
                        'ill_conditioned', 'weights_concentrated', 'replicate_noise', 'outliers',
                        'extreme_values', 'lack_of_fit', 'pinned', 'priors_overrule'}, provoked
    assert provoked <= set(rows), provoked - set(rows)
    for code, text in rows.items():
        meaning, remedy, _ = html.unescape(text).split('<td>')
        assert len(meaning) > 20 and len(remedy) > 10, code


tap.main(daemon.close)
