#!/usr/bin/python3
"""Laws side by side on the same runs."""
import math
import random

from checked import Checked
import tap

daemon = Checked()
daemon.load_sample()


def compare(laws, **more):
    return daemon.post('/v1/compare', {'study': 'marin-moe', 'laws': laws, **more})


def by_law(answer):
    assert answer.status == 200, answer
    return {law['law']: law for law in answer.json['laws']}


@tap.test
def each_law_is_shown_as_its_own_fit_would_be():
    laws = by_law(compare(['joint', 'chinchilla', 'sparsity'], bootstrap=20, seed=3))
    for name, law in laws.items():
        fit = daemon.post('/v1/fits', {'study': 'marin-moe', 'law': name, 'bootstrap': 20, 'seed': 3})
        assert law['fit'] == {member: fit.json[member] for member in law['fit']}, name


@tap.test
def laws_are_ranked_by_aicc_and_by_the_runs_held_out():
    laws = by_law(compare(['chinchilla', 'joint'], holdout={'fraction': 0.2}))
    assert [laws[name]['rank'] for name in ('joint', 'chinchilla')] == [1, 2]
    assert laws['joint']['delta_aicc'] == 0 and laws['chinchilla']['delta_aicc'] > 0
    assert math.isclose(laws['chinchilla']['delta_aicc'],
                        laws['chinchilla']['fit']['aicc'] - laws['joint']['fit']['aicc'])
    error = {name: law['fit']['holdout']['rmse_log'] for name, law in laws.items()}
    assert laws[min(error, key=error.get)]['rank_holdout'] == 1, laws


@tap.test
def laws_the_runs_do_not_tell_apart_share_a_rank():
    """Without its term of G fine-grained is chinchilla, where all parameters are active."""
    chance = random.Random(2)
    daemon.request('PUT', '/v1/studies/dense', {})
    runs = [{'n_active': n, 'n_total': n, 'tokens': t,
             'loss': (1.8 + 400 / n ** .34 + 400 / t ** .28) * math.exp(chance.gauss(0, .004))}
            for n, t in ((10 ** chance.uniform(7, 10), 10 ** chance.uniform(9, 12))
                         for _ in range(50))]
    assert daemon.post('/v1/experiments?study=dense', runs).status == 201
    answer = compare(['chinchilla', 'fine-grained'], study='dense', holdout={'fraction': 0.2},
                     fixed={'g': 0, 'gamma': 0})
    laws = by_law(answer)
    assert all(law['rank'] == law['rank_holdout'] == 1 for law in laws.values()), laws
    assert max(law['delta_aicc'] for law in laws.values()) < 2
    tied = [w['detail'] for w in answer.json['warnings'] if w['code'] == 'tied']
    assert len(tied) == 2 and all('chinchilla, fine-grained' in detail for detail in tied), tied
    assert not any(w['code'] == 'tied' for w in compare(['chinchilla', 'joint']).json['warnings'])


@tap.test
def a_value_is_for_laws_in_which_its_name_is_one_thing():
    for laws, option in ((['joint', 'routed'], {'fixed': {'c': 2.4}}),
                         (['joint', 'sparsity'], {'prior': {'c': {'mean': 2.4, 'sd': 0.1}}}),
                         (['joint', 'chinchilla'], {'fixed': {'alpha': -0.2}})):
        answer = compare(laws, **option)
        (what, values), = option.items()
        assert answer.status == 400, answer
        assert [e['pointer'] for e in answer.json['errors']] == [f'/{what}/{next(iter(values))}']
        assert all(law in answer.json['errors'][0]['detail'] for law in laws), answer.json
    both = by_law(compare(['joint', 'joint-granular'], fixed={'c': 2.4, 'kappa': .03, 'phi': .7}))
    assert [law['fit']['coefficients']['c'] for law in both.values()] == [2.4, 2.4]


@tap.test
def a_law_the_runs_cannot_tell_is_shown_with_the_reason():
    laws = by_law(compare(['joint-granular', 'joint']))
    granular = laws['joint-granular']
    assert granular['fit'] is None and granular['rank'] is None
    assert granular['error']['code'] == 'not_identifiable'
    assert [e['pointer'] for e in granular['error']['errors']] == ['/fixed/kappa', '/fixed/phi']
    assert laws['joint']['rank'] == 1
    assert 'nothing_to_rank' in [w['code'] for w in compare(['joint-granular']).json['warnings']]


@tap.test
def too_few_runs_are_fitted_but_not_ranked():
    daemon.request('PUT', '/v1/studies/few', {})
    runs = [{'n_active': n, 'tokens': t, 'loss': 1.8 + 400 / n ** .34 + 400 / t ** .28}
            for n, t in ((1e8, 1e9), (3e8, 2e9), (1e9, 5e10), (2e9, 3e9), (4e8, 9e10), (7e8, 7e9),
                         (1.5e8, 4e9))]
    assert daemon.post('/v1/experiments?study=few', runs).status == 201
    answer = compare(['chinchilla'], study='few')
    law = by_law(answer)['chinchilla']
    assert law['fit']['aicc'] is None and law['rank'] is None and law['delta_bic'] is None, law
    assert {w['code'] for w in answer.json['warnings']} == {'not_ranked', 'nothing_to_rank'}


@tap.test
def a_coefficient_is_held_in_the_laws_that_have_it():
    laws = by_law(compare(['joint', 'chinchilla'], fixed={'c': 1.5, 'E_inf': 1.5}))
    assert laws['joint']['fit']['coefficients']['c'] == 1.5
    assert laws['chinchilla']['fit']['coefficients']['E_inf'] == 1.5


@tap.test
def every_bad_field_is_named():
    answer = compare(['joint', 'nolaw', 'joint', 3], fixed={'alfa': 1}, free=['zeta', 'zita'],
                     law='joint', level=2)
    assert answer.status == 400
    assert {e['pointer'] for e in answer.json['errors']} >= {
        '/laws/1', '/laws/2', '/laws/3', '/fixed/alfa', '/free/1', '/law', '/level'}, answer.json
    for laws in ([], 'joint', None):
        answer = compare(laws)
        assert answer.status == 400 and answer.json['errors'][0]['pointer'] == '/laws', answer
    assert compare(['joint'], study='nope').status == 404


tap.main(daemon.close)
