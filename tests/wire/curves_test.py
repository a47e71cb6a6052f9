#!/usr/bin/python3
"""Every kind of curve: its columns, bands, lines, runs, and the same as CSV."""
import csv
import io
import math

from checked import ORIGIN, Checked, origin_in_headers
import tap

daemon = Checked()
daemon.load_sample()
FIT = daemon.post('/v1/fits', {'study': 'marin-moe', 'law': 'joint', 'bootstrap': 60,
                               'seed': 1}).json
LIMITS = {'compute': 1e21, 'memory': 20e9, 'points': 12}
KINDS = ('isoflop', 'tokens', 'experts', 'frontier')


def curve(kind, **query):
    answer = daemon.get(f'/v1/curves/{kind}', query)
    assert answer.status == 200, answer
    return answer.json


def rows(drawn):
    columns = drawn['columns']
    return [dict(zip(columns, values)) for values in zip(*columns.values())]


def loss(fit, row):
    query = {'fit': fit, **{name: repr(row[name]) for name in ('n_active', 'tokens')},
             'experts': row['experts'], 'granularity': row['granularity']}
    return daemon.get('/v1/predict', query).json


@tap.test
def every_row_is_what_the_law_predicts():
    for kind in KINDS:
        drawn = curve(kind, fit='joint-2025', **LIMITS)
        shown = [row for row in rows(drawn) if row['loss'] is not None]
        assert len(shown) > 5, kind
        assert all(row['n_total'] >= row['n_active'] for row in shown), kind
        for row in shown[:: len(shown) // 5]:
            assert math.isclose(row['loss'], loss('joint-2025', row)['loss'], rel_tol=1e-12), kind


@tap.test
def ends_asked_for_are_hit_to_the_bit():
    ends = {'isoflop': ('n_active', 1e8, 3e10, 'n_active'), 'tokens': ('tokens', 1e9, 7e11, 'tokens'),
            'frontier': ('compute', 1e20, 1e24, 'flops')}
    for fit in ('joint-2025', 'joint-granular-composed', 'fine-grained-e64-2024', 'chinchilla-2024'):
        for kind, (name, low, high, column) in ends.items():
            for points in (2, 7):
                drawn = curve(kind, fit=fit, compute=1e21, points=points,
                              **{f'{name}_min': low, f'{name}_max': high})
                cells = {(row['experts'], row['granularity']) for row in rows(drawn)}
                for cell in cells if kind != 'frontier' else (None,):
                    shown = [row[column] for row in rows(drawn)
                             if cell in (None, (row['experts'], row['granularity']))]
                    assert low in shown and high in shown, (fit, kind, shown)
        drawn = curve('contour', fit=fit, points=5, n_active_min=1e8, n_active_max=3e10,
                      tokens_min=1e9, tokens_max=7e11)['columns']
        assert (drawn['n_active'][0], drawn['n_active'][-1]) == (1e8, 3e10)
        assert (drawn['tokens'][0], drawn['tokens'][-1]) == (1e9, 7e11)


@tap.test
def answers_say_whose_numbers_they_are_and_what_those_count():
    want = {'joint-2025': ('published', 'with_embedding'),
            'joint-granular-composed': ('composed', 'with_embedding'),
            'fine-grained-e64-2024': ('published', 'non_embedding')}
    for fit, origin in [*want.items(), (FIT['id'], ('fitted', 'with_embedding'))]:
        for path in ('/v1/plan', '/v1/curves/isoflop', '/v1/curves/contour'):
            answer = daemon.get(path, {'fit': fit, 'compute': 1e21,
                                       'fields': 'provenance,parameter_convention'}).json
            assert tuple(answer.values()) == origin, (path, fit, answer)


@tap.test
def bands_are_the_intervals_of_the_fit():
    for kind in KINDS:
        drawn = curve(kind, fit=FIT['id'], study='marin-moe', **LIMITS)
        row = [row for row in rows(drawn) if row['loss_low'] is not None][-1]
        assert row['loss_low'] < row['loss_high'], kind
        low, high = loss(FIT['id'], row)['interval']
        assert math.isclose(low, row['loss_low'], rel_tol=1e-9), kind
        assert math.isclose(high, row['loss_high'], rel_tol=1e-9), kind


def furthest(row):
    """What predict says of a row: the variable furthest outside and its distance, infinite where
    the fit saw one value; the first of equals."""
    query = {'fit': row['fit'], **{name: repr(row[name]) for name in
                                   ('n_active', 'tokens', 'n_total', 'experts', 'granularity')}}
    found = [(math.inf if one['distance'] is None else one['distance'], one['variable'])
             for one in daemon.get('/v1/predict', query).json['extrapolates']]
    return max(found, key=lambda one: one[0]) if found else (0, None)


def shown_distance(value):
    return math.inf if value in (None, '') else float(value)


@tap.test
def each_row_says_what_extrapolates_and_how_far():
    seen = set()
    for fit, compute in ((FIT['id'], 1e22), ('joint-2025', 1e20), ('fine-grained-e64-2024', 1e22),
                         ('sparsity-2025', 1e22), ('chinchilla-2024', 1e22)):
        for kind in KINDS:
            query = {'fit': fit, 'compute': compute, 'points': 7}
            drawn = curve(kind, **query)
            table = csv.DictReader(io.StringIO(
                daemon.get(f'/v1/curves/{kind}', {**query, 'format': 'csv'}).body.decode()))
            for row, cells in zip(rows(drawn), table):
                if row['tokens'] is None:
                    continue
                distance, variable = furthest({**row, 'fit': fit})
                assert row['extrapolates'] == (variable is not None), row
                assert row['extrapolates_variable'] == variable, (row, distance)
                assert math.isclose(shown_distance(row['extrapolates_distance']), distance,
                                    rel_tol=1e-9), row
                assert cells['extrapolates_variable'] == (variable or '')
                assert shown_distance(cells['extrapolates_distance']) == \
                    shown_distance(row['extrapolates_distance'])
                seen.add(variable)
    assert {None, 'tokens', 'n_active', 'tokens_per_active_param', 'train_flops'} <= seen, seen


@tap.test
def the_runs_of_the_fit_stand_beside():
    runs = curve('isoflop', fit=FIT['id'], **LIMITS, fields='runs')['runs']
    assert runs['count'] == FIT['points'] == len(runs['columns']['id'])
    stored = daemon.get(f'/v1/experiments/{runs["columns"]["id"][7]}').json
    for name in ('loss', 'tokens', 'n_active', 'experts'):
        assert runs['columns'][name][7] == stored[name]
    assert curve('isoflop', fit='joint-2025', **LIMITS)['runs'] is None


@tap.test
def lines_lie_where_the_limits_bind():
    drawn = curve('isoflop', fit='joint-2025', **LIMITS, kv_tokens='16K', train_memory='100GB')
    lines = {line['experts']: line for line in drawn['lines']}
    assert sorted(lines) == [1, 2, 4, 8, 16, 32]
    for experts, line in lines.items():
        for limit, name in (('memory', 'n_active_by_memory'),
                            ('train_memory', 'n_active_by_train_memory')):
            query = {'fit': 'joint-2025', 'compute': 1e25, 'experts': experts,
                     'kv_tokens': '16K', 'max_tokens': 1e11, 'fields': 'optimum',
                     limit: 20e9 if limit == 'memory' else 100e9}
            best = daemon.get('/v1/plan', query).json['optimum']
            assert limit in best['binding']
            assert math.isclose(best['n_active'], line[name], rel_tol=1e-9), (experts, name)
    plain = curve('experts', fit='joint-2025', compute=1e21)['lines']
    assert all(line['n_active_by_memory'] is None for line in plain)


@tap.test
def the_compute_line_of_tokens_is_where_the_budget_ends():
    drawn = curve('tokens', fit='joint-2025', compute=1e21, experts='4,8', inference_tokens='1B')
    for line in drawn['lines']:
        mine = [row for row in rows(drawn) if row['experts'] == line['experts']]
        assert all((row['tokens'] <= line['tokens_by_compute'] * (1 + 1e-9)) == row['feasible']
                   for row in mine)
        assert math.isclose(max(row['tokens'] for row in mine if row['feasible']),
                            line['tokens_by_compute'], rel_tol=1e-9)


@tap.test
def the_front_of_loss_compute_and_memory_is_the_plans():
    query = {'fit': 'joint-granular-composed', 'compute': 1e22, 'points': 5, 'kv_tokens': '16K'}
    drawn = curve('frontier', **query, memory_limits='640GB,24GB,80GB')
    shown = rows(drawn)
    assert [row['memory_limit'] for row in shown] == [24e9] * 5 + [80e9] * 5 + [640e9] * 5
    for row in shown:
        best = daemon.get('/v1/plan', {'fit': query['fit'], 'kv_tokens': '16K',
                                       'compute': repr(row['flops']), 'fields': 'optimum',
                                       'memory': row['memory_limit']}).json['optimum']
        for name in ('loss', 'experts', 'granularity', 'n_active', 'tokens'):
            assert math.isclose(best[name], row[name], rel_tol=1e-9), (name, best, row)
        assert row['memory_bytes'] <= row['memory_limit'] * (1 + 1e-9)
    for row, more in zip(shown, shown[5:]):
        assert more['loss'] <= row['loss'] * (1 + 1e-12)
    one = curve('frontier', **query, memory='80GB')
    assert [row['loss'] for row in rows(one)] == [row['loss'] for row in shown[5:10]]
    assert 'memory_limit' not in one['columns']
    for wrong in ({'memory_limits': '80GB', 'memory': '80GB'}, {'memory_limits': '80G'},
                  {'memory_limits': '1TB,2TB,3TB', 'points': 700}, {'memory_limits': '0'}):
        answer = daemon.get('/v1/curves/frontier', {**query, **wrong})
        assert [e['parameter'] for e in answer.json['errors']] == ['memory_limits'], answer
    answer = daemon.get('/v1/curves/isoflop', {'compute': 1e21, 'memory_limits': '80GB'})
    assert [e['parameter'] for e in answer.json['errors']] == ['memory_limits'], answer


@tap.test
def the_widest_ranges_are_drawn_whole_and_wider_ones_refused():
    """Compute ends anywhere: the middle of 1 and 1e300 is 1e150, where no model fits."""
    for kind, names in (('isoflop', ('n_active',)), ('tokens', ('tokens',)),
                        ('contour', ('n_active', 'tokens'))):
        query = {'fit': 'joint-2025', 'compute': 1e21, 'experts': 8, 'points': 3}
        widest = {f'{name}_{end}': value for name in names
                  for end, value in (('min', 1), ('max', 1e30))}
        columns = curve(kind, **query, **widest)['columns']
        for name in names:
            assert [value for value in columns[name] if value in (1, 1e30)] == [1, 1e30], columns
            assert any(math.isclose(value, 1e15) for value in columns[name]), columns
        for name in ('n_active', 'n_total', 'tokens'):
            assert None not in columns[name], (kind, columns)
        for name, value in ((f'{names[0]}_min', 0.999), (f'{names[-1]}_max', 1.001e30)):
            answer = daemon.get(f'/v1/curves/{kind}', {**query, **widest, name: value})
            assert answer.status == 400, answer
            assert [e['parameter'] for e in answer.json['errors']] == [name], answer
    ends = {'fit': 'joint-2025', 'points': 3, 'compute_min': 1, 'compute_max': 1e300}
    assert math.isclose(rows(curve('frontier', **ends))[0]['flops'], 1e150)
    answer = daemon.get('/v1/curves/frontier', {**ends, 'compute_min': 0.5})
    assert [e['parameter'] for e in answer.json['errors']] == ['compute_min'], answer


@tap.test
def a_front_without_a_point_is_refused_in_the_words_it_was_asked_in():
    """What is named has a row when it is given; 0.1 % less has none."""
    gpu = {'gpu': 'h100', 'gpus': 1, 'days': 1e-13}
    for query, names in (({'compute': 1e5}, ['compute']), ({**gpu}, ['days', 'gpus']),
                         ({'compute': 1e5, 'compute_min': 10, 'compute_max': 1e6}, ['compute_max']),
                         ({'compute': 1e22, 'memory_limits': '1kB,2kB'}, ['memory_limits']),
                         ({'compute': 1e22, 'memory': '1kB'}, ['memory']),
                         ({**gpu, 'days': 1, 'memory_gpus': 1e-9}, ['memory_gpus'])):
        query = {'fit': 'joint-2025', 'points': 3, 'experts': '2,4', **query}
        answer = daemon.get('/v1/curves/frontier', query)
        assert answer.status == 422 and answer.json['code'] == 'infeasible', (query, answer)
        assert [e['parameter'] for e in answer.json['errors']] == names, answer
        for error in answer.json['errors']:
            least = float(error['detail'].split('fit is ')[1].split()[0])
            name = error['parameter']
            assert curve('frontier', **{**query, name: repr(least)})['rows'] >= 1, (query, error)
            less = daemon.get('/v1/curves/frontier', {**query, name: repr(least * 0.999)})
            assert less.status == 422, (query, error)


@tap.test
def a_contour_is_a_grid():
    drawn = curve('contour', fit='joint-2025', experts=8, compute=1e21, points=7)
    columns = drawn['columns']
    assert drawn['rows'] == len(columns['n_active']) == len(columns['loss']) == 7
    for i, j in ((0, 0), (3, 5), (6, 6)):
        row = {'experts': 8, 'granularity': 1, 'n_active': columns['n_active'][i],
               'tokens': columns['tokens'][j]}
        assert math.isclose(columns['loss'][i][j], loss('joint-2025', row)['loss'], rel_tol=1e-9)
    for n_active, tokens in zip(columns['n_active'], columns['tokens_by_compute']):
        assert math.isclose(6 * n_active * tokens, 1e21, rel_tol=1e-9)


@tap.test
def a_contour_takes_ranges_and_the_best_cell():
    ranges = {'n_active_min': '100M', 'n_active_max': '1B', 'tokens_min': '1B', 'tokens_max': '10B'}
    drawn = curve('contour', fit='joint-2025', points=3, **ranges)
    assert [drawn['columns'][name][0] for name in ('n_active', 'tokens')] == [1e8, 1e9]
    assert [drawn['columns'][name][-1] for name in ('n_active', 'tokens')] == [1e9, 1e10]
    best = daemon.get('/v1/plan', {'fit': 'joint-2025', 'compute': LIMITS['compute'],
                                   'memory': LIMITS['memory']}).json['optimum']
    drawn = curve('contour', fit='joint-2025', **LIMITS)
    assert drawn['lines'][0]['experts'] == best['experts']
    grid = [value for row in drawn['columns']['loss'] for value in row]
    assert min(grid) < best['loss'] < max(grid)


@tap.test
def points_of_a_contour_have_bands_and_say_where_they_extrapolate():
    """Against predict, point by point, in JSON and CSV; E = 4 was not in the sample."""
    seen = set()
    for query in ({'experts': 64, 'level': 0.8}, {'experts': 4}, {}):
        query = {'fit': FIT['id'], 'compute': 1e21, 'points': 9, **query}
        drawn = curve('contour', **query)
        columns, cell = drawn['columns'], drawn['lines'][0]
        text = daemon.get('/v1/curves/contour', {**query, 'format': 'csv'}).body.decode()
        table = list(csv.DictReader(io.StringIO(text)))
        items = [{'n_active': n_active, 'n_total': n_total, 'tokens': tokens,
                  'experts': cell['experts'], 'granularity': cell['granularity']}
                 for n_active, n_total in zip(columns['n_active'], columns['n_total'])
                 for tokens in columns['tokens']]
        asked = daemon.post('/v1/predict', {'fit': FIT['id'], 'items': items,
                                            'level': query.get('level', 0.9)}).json['items']
        assert len(table) == len(asked) == 81
        for at, (want, row) in enumerate(zip(asked, table)):
            i, j = divmod(at, 9)
            assert all(float(row[name]) == items[at][name] for name in items[at]), (items[at], row)
            for k, name in enumerate(('loss_low', 'loss_high')):
                assert math.isclose(columns[name][i][j], want['interval'][k], rel_tol=1e-9), (at, want)
                assert float(row[name]) == columns[name][i][j]
            assert math.isclose(columns['loss'][i][j], want['loss'], rel_tol=1e-9)
            distance, variable = furthest({**items[at], 'fit': FIT['id']}) if at % 4 == 0 else \
                max([(math.inf if one['distance'] is None else one['distance'], one['variable'])
                     for one in want['extrapolates']], key=lambda one: one[0], default=(0, None))
            by_size, by_tokens = (shown_distance(columns[f'{axis}_extrapolates_distance'][k])
                                  for axis, k in (('n_active', i), ('tokens', j)))
            low, high = columns['tokens_per_active_param_range']
            ratio = items[at]['tokens'] / items[at]['n_active']
            by_both = max(0, math.log(low / ratio), math.log(ratio / high)) / math.log(high / low)
            assert math.isclose(max(by_size, by_tokens, by_both), distance, rel_tol=1e-9), (at, want)
            assert row['extrapolates'] == str(variable is not None).lower()
            assert row['extrapolates_variable'] == (variable or ''), (at, want, row)
            assert math.isclose(shown_distance(row['extrapolates_distance']), distance, rel_tol=1e-9)
            if by_size >= max(by_tokens, by_both):
                assert columns['n_active_extrapolates_variable'][i] == variable
            seen.add(variable)
    assert {'n_active', 'tokens', 'experts'} <= seen, seen


@tap.test
def bands_are_null_where_there_are_no_draws_or_none_are_asked_for():
    bare = curve('contour', fit='joint-2025', compute=1e21, points=4)
    assert bare['columns']['loss_low'] is None and bare['columns']['loss_high'] is None
    assert 'no_interval' in {warning['code'] for warning in bare['warnings']}
    text = daemon.get('/v1/curves/contour', {'fit': 'joint-2025', 'compute': 1e21, 'points': 4,
                                             'format': 'csv'}).body.decode()
    assert all(row['loss_low'] == row['loss_high'] == '' for row in csv.DictReader(io.StringIO(text)))
    for kind in (*KINDS, 'contour'):
        query = {'fit': FIT['id'], 'study': 'marin-moe', **LIMITS}
        full, none = curve(kind, **query), curve(kind, **query, bands='false')
        assert full['columns']['loss_low'] is not None
        low = none['columns'].pop('loss_low')
        assert low is None or all(value is None for value in low), kind
        assert none['columns'].pop('loss_high') == low
        for name, column in none['columns'].items():
            assert full['columns'][name] == column, (kind, name)
    answer = daemon.get('/v1/curves/contour', {'compute': 1e21, 'bands': 'some'})
    assert [e['parameter'] for e in answer.json['errors']] == ['bands'], answer


@tap.test
def contours_refuse_what_is_too_much_or_too_little():
    for query, parameters in (({'points': 501, 'compute': 1e21}, ['points']),
                              ({'compute': 1e21, 'tokens_min': 1e9}, ['tokens_max']),
                              ({'compute': 1e21, 'compute_min': 1e20, 'compute_max': 1e22},
                               ['compute_min', 'compute_max']),
                              ({}, None)):
        answer = daemon.get('/v1/curves/contour', {'fit': 'joint-2025', **query})
        assert answer.status == 400, answer
        if parameters:
            assert [e['parameter'] for e in answer.json['errors']] == parameters, answer


@tap.test
def bands_are_not_asked_of_too_many_draws():
    fit = daemon.post('/v1/fits', {'study': 'marin-moe', 'law': 'joint', 'bootstrap': 10000,
                                   'starts': 4})
    assert fit.status == 201, fit
    query = {'fit': fit.json['id'], 'compute': 1e22, 'experts': ','.join(map(str, range(1, 65))),
             'fields': 'rows'}
    for kind, points in (('isoflop', 313), ('tokens', 2000), ('contour', 142)):
        answer = daemon.get(f'/v1/curves/{kind}', {**query, 'points': points})
        assert answer.status == 400, answer
        assert [e['parameter'] for e in answer.json['errors']] == ['points'], answer
        most = int(answer.json['errors'][0]['detail'].split()[3])
        for value, status in ((most, 200), (most + 1, 400)):
            assert daemon.get(f'/v1/curves/{kind}', {**query, 'points': value}).status == status
        free = daemon.get(f'/v1/curves/{kind}', {**query, 'points': points, 'bands': 'false'})
        assert free.json['rows'] >= points, free
    assert daemon.get('/v1/curves/isoflop', {**query, 'points': 3}).json['rows'] == 64 * 4
    one = {'n_active': 1e9, 'tokens': 1e10, 'experts': 16}
    answer = daemon.post('/v1/predict', {'fit': fit.json['id'], 'items': [one] * 2001})
    assert [e['pointer'] for e in answer.json['errors']] == ['/items'], answer
    assert 'at most 2000 items' in answer.json['detail'], answer
    answer = daemon.post('/v1/predict', {'fit': fit.json['id'], 'items': [one] * 20})
    assert len(answer.json['items']) == 20, answer
    assert daemon.get('/v1/curves/frontier', {**query, 'points': 200}).json['rows'] == 200


@tap.test
def frontiers_are_not_asked_of_too_many_plans():
    """64 × 64 pairs of E and G leave 488 points; in two runs half of them."""
    every = ','.join(map(str, range(1, 65)))
    query = {'fit': 'joint-granular-composed', 'compute': 1e22, 'experts': every,
             'granularity': every, 'fields': 'rows'}
    for more, most in (({}, 488), ({'memory_limits': '80GB,640GB'}, 244)):
        answer = daemon.get('/v1/curves/frontier', {**query, **more, 'points': most + 1})
        assert answer.status == 400, answer
        assert [e['parameter'] for e in answer.json['errors']] == ['points'], answer
        assert f'at most {most} ' in answer.json['detail'], answer
    assert daemon.get('/v1/curves/frontier', {**query, 'points': 100}).json['rows'] == 100
    assert daemon.get('/v1/curves/experts', {**query, 'points': 500}).json['rows'] > 500


@tap.test
def csv_says_the_same():
    for kind in (*KINDS, 'contour'):
        drawn = curve(kind, fit='joint-2025', experts=8, compute=1e21, points=4)
        answer = daemon.get(f'/v1/curves/{kind}', {'fit': 'joint-2025', 'experts': 8,
                                                   'compute': 1e21, 'points': 4, 'format': 'csv'})
        assert origin_in_headers(answer) == {name: drawn[name] for name in ORIGIN}, answer.headers
        table = list(csv.DictReader(io.StringIO(answer.body.decode())))
        if kind == 'contour':
            flat = [value for row in drawn['columns']['loss'] for value in row]
            assert [float(row['loss']) for row in table] == flat
            continue
        assert list(table[0]) == list(drawn['columns'])
        assert [float(row['n_active']) for row in table] == drawn['columns']['n_active'], kind


tap.main(daemon.close)
