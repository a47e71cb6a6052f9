#!/usr/bin/python3
"""Studies nobody could fit, with every law and every option of a fit: a refusal that says why, or a
fit of finite numbers with the right warning, soon; and answers made from such fits are answers too.
"""
import itertools
import json
import math
import random
import time

from checked import Checked
import tap

LAWS = ('chinchilla', 'joint', 'joint-granular', 'fine-grained', 'routed', 'sparsity')
REFUSALS = {'too_few_experiments', 'not_identifiable'}
SOON_S = 30  # with sanitizers, on a busy machine
RUNS = 50
daemon = Checked()
studies = itertools.count()


def rows(count=RUNS, seed=1):
    """Healthy runs that vary in everything; losses near J's law, G a factor of its size term."""
    chance = random.Random(seed)
    made = []
    for i in range(count):
        n = math.exp(chance.uniform(math.log(5e7), math.log(3e9)))
        d = math.exp(chance.uniform(math.log(1e9), math.log(1e11)))
        e, g = 2 ** chance.randrange(6), 2 ** chance.randrange(4)
        loss = (1.4 + 36 * n ** -0.19 * e ** -0.09 * (0.9 + 0.1 / g) + 36 * d ** -0.18 * e ** 0.04)
        made.append({'n_active': n, 'n_total': n * (1 + 0.6 * (e - 1)), 'tokens': d, 'experts': e,
                     'granularity': g if e > 1 else 1, 'loss': loss * math.exp(chance.gauss(0, 0.003)),
                     'tags': {'half': 'ab'[i % 2], 'one': str(i == 0)}})
    return made


def all_of(**fields):
    return [{**row, **fields} for row in rows()]


def one_of(**fields):
    made = rows()
    made[3] = {**made[3], **fields}
    return made


def whole(made):
    """With n_total no less than n_active."""
    return [{**row, 'n_total': max(row['n_total'], row['n_active'])} for row in made]


DEGENERATE = {
    'two runs': rows(2),
    'all equal': rows(1) * RUNS,
    'one N': all_of(n_active=1e9, n_total=4e9),
    'one E': all_of(experts=8),
    'D fixed': all_of(tokens=2e10),
    'D = 20 N': [{**row, 'tokens': 20 * row['n_active']} for row in rows()],
    'D = 20 N_total': [{**row, 'tokens': 20 * row['n_total']} for row in rows()],
    'below any floor': [{**row, 'loss': 1e-3 * row['loss'] * (1e9 / row['n_active']) ** 2}
                        for row in rows()],
    'one gross outlier': one_of(loss=2000.0),
    'duplicated rows': rows(5) * 10,
    'no floor': [{**row, 'loss': row['loss'] - 1.4} for row in rows()],
    'losses all alike': all_of(loss=3.0),
    **{f'{name} {value:g} of {who.__name__}': whole(who(**{name: value}))
       for name in ('n_active', 'tokens', 'loss') for value in (1e-300, 1e300)
       for who in (one_of, all_of)},
}

OPTIONS = {
    'defaults': {},
    'everything free': {'free': 'all'},
    'squared': {'loss': 'squared'},
    'tiny delta': {'delta': 1e-12},
    'one start': {'starts': 1},
    'fixed': {'fixed': 'floor'},
    'prior': {'prior': 'floor'},
    'half': {'where': {'tag.half': 'a'}},
    'one run': {'where': {'tag.one': 'True'}},
    'no run': {'where': {'tag.one': 'neither'}},
    'hold-out by fraction': {'holdout': {'fraction': 0.3}},
    'hold-out of nothing': {'holdout': {'min_flops': 1e308}},
    'hold-out of all': {'holdout': {'min_flops': 1e-300}},
    'bootstrap': {'bootstrap': 20},
    'bootstrap and hold-out': {'bootstrap': 10, 'holdout': {'fraction': 0.2}},
}
FLOOR = {'chinchilla': 'E_inf', 'joint': 'c', 'joint-granular': 'c', 'fine-grained': 'c',
         'routed': 'd', 'sparsity': 'e'}


def study(made):
    name = f's{next(studies)}'
    assert daemon.request('PUT', f'/v1/studies/{name}', {}).status == 201
    posted = daemon.post(f'/v1/experiments?study={name}',
                         [{'name': f'run-{i}', **row} for i, row in enumerate(made)])
    assert posted.status == 201, posted
    return name


def options_for(law, options):
    options = dict(options)
    if options.get('free') == 'all':
        options['free'] = [c['name'] for c in daemon.get(f'/v1/laws/{law}').json['coefficients']]
    if options.get('fixed') == 'floor':
        options['fixed'] = {FLOOR[law]: 0}
    if options.get('prior') == 'floor':
        options['prior'] = {FLOOR[law]: {'mean': 1.5, 'sd': 1e-6}}
    return options


def no_constants(text):
    """JSON without NaN and infinities, which Python would read."""
    def refuse(name):
        raise AssertionError(f'{name} in {text[:300]}')
    return json.loads(text, parse_constant=refuse)


def fit(name, law, options):
    began = time.monotonic()
    answer = daemon.post('/v1/fits', {'study': name, 'law': law, 'starts': 8,
                                      **options_for(law, options)}, timeout=2 * SOON_S)
    took = time.monotonic() - began
    assert took < SOON_S, f'{took:.1f} s'
    made = no_constants(answer.body)
    if answer.status == 201:
        assert made['status'] == 'finished' and 0 <= made['objective'] < math.inf, made
        for pair in (made.get('intervals') or {}).values():
            known = [v for v in pair or [] if v is not None]
            assert known == sorted(known), pair
        return made
    assert answer.status in (400, 422), answer
    assert answer.status == 400 or made['code'] in REFUSALS, answer
    assert len(made['detail']) > 20, answer
    return None


def ask(made):
    """What a user does next with a fit."""
    point = 'n_active=1e9&n_total=4e9&tokens=2e10&experts=8&granularity=2'
    for path in (f'/v1/fits/{made["id"]}/residuals', f'/v1/predict?fit={made["id"]}&{point}',
                 f'/v1/plan?fit={made["id"]}&compute=1e21&experts=8&granularity=1'):
        answer = daemon.get(path)
        assert answer.status in (200, 422, 400), (path, answer)
        no_constants(answer.body)


def battery(which):
    """Every law and every degenerate study; options by turns."""
    outcomes = {'fitted': 0, 'refused': 0}
    for s, (title, made) in enumerate(DEGENERATE.items()):
        if s % 2 != which:
            continue
        name = study(made)
        for (l, law), (o, (what, options)) in itertools.product(enumerate(LAWS),
                                                                enumerate(OPTIONS.items())):
            if (s // 2 + l + o) % 11:
                continue
            try:
                got = fit(name, law, options)
                if got is not None:
                    ask(got)
            except AssertionError as error:
                raise AssertionError(f'{law}, {title}, {what}: {error}') from error
            outcomes['refused' if got is None else 'fitted'] += 1
    assert min(outcomes.values()) > 20, outcomes


@tap.test
def every_law_on_degenerate_studies_with_options_by_turns():
    battery(0)


@tap.test
def and_on_the_others():
    battery(1)


def expect(title, law, refused=None, warned=None):
    made = fit(study(DEGENERATE[title]), law, {'starts': 32})
    if refused is not None:
        assert (made is None) == refused, (title, law, made)
    if warned is not None:
        assert made and {w['code'] for w in made['warnings']} & warned, (title, law, made)


@tap.test
def what_runs_cannot_determine_is_refused_whichever_law_reads_it():
    for law in LAWS:
        for title in ('two runs', 'all equal', 'one N'):
            expect(title, law, refused=True)
        expect('duplicated rows', law, refused=law != 'routed',  # five for four coefficients
               warned={'too_few_configurations'} if law == 'routed' else None)
    for law in ('joint', 'joint-granular', 'routed', 'sparsity'):
        expect('one E', law, refused=True)
    for law in ('chinchilla', 'joint', 'joint-granular', 'fine-grained', 'sparsity'):
        expect('D fixed', law, refused=True)
        expect('D = 20 N_total' if law in ('fine-grained', 'sparsity') else 'D = 20 N', law,
               refused=True)


@tap.test
def what_was_fitted_badly_says_so_whichever_law():
    for law in LAWS:
        expect('one gross outlier', law, warned={'outliers'})
    for law in ('chinchilla', 'joint', 'joint-granular'):
        expect('below any floor', law, warned={'at_bound', 'not_determined', 'ill_conditioned'})
    daemon.load_sample()
    made = fit('marin-moe', 'joint', {'free': ['E_start', 'E_max'], 'bootstrap': 10})
    assert {w['code'] for w in made['warnings']} & {'at_bound', 'not_determined'}, made


@tap.test
def losses_all_alike_determine_nothing_but_their_level():
    name = study(DEGENERATE['losses all alike'])
    for law in LAWS:
        for options in ({}, {'loss': 'squared', 'seed': 5}, {'bootstrap': 10}):
            made = fit(name, law, options)
            named = {w['detail'].split()[0] for w in made['warnings']
                     if w['code'] in ('not_determined', 'at_bound')}
            assert all(made['intervals'][c] is None for c in named if c in made['intervals']), made
            exponents = {c['name'] for c in daemon.get(f'/v1/laws/{law}').json['coefficients']
                         if c['transform'] == 'identity'} - {FLOOR[law], 'a', 'b', 'c', 'd'}
            assert exponents <= named, (law, options, made)


@tap.test
def losses_at_the_ends_of_the_doubles_are_drawn_from_or_refused():
    ends = [[{**row, 'loss': 1e-301 * row['loss']} for row in rows()],
            [{**row, 'loss': 1e300 * row['loss']} for row in rows()],
            all_of(loss=5e-324), all_of(loss=1e300)]
    for made in ends:
        name = study(made)
        for law in LAWS:
            got = fit(name, law, {'bootstrap': 20, 'holdout': {'fraction': 0.2}})
            if got is not None:
                assert any(w['code'] == 'extreme_values' for w in got['warnings']), got
                ask(got)


tap.main(daemon.close)
