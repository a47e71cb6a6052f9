#!/usr/bin/python3
"""Many runs at once: whole or not at all, by every form, and out again as they went in."""
import csv
import io
import json
import random
import urllib.parse

from checked import Checked
import tap

ROWS = 10000
daemon = Checked()
TYPES = {'csv': 'text/csv', 'ndjson': 'application/x-ndjson', 'json': 'application/json'}
FIELDS = ('name', 'n_active', 'tokens', 'loss', 'experts', 'granularity', 'n_total', 'train_flops',
          'weight', 'loss_stderr', 'seed', 'step', 'final', 'url', 'excluded', 'excluded_reason')


def awkward_runs(count, seed):
    """Runs with every field now and then, and texts that try the writers."""
    draw = random.Random(seed)
    texts = ['plain', 'with, comma', 'with "quotes"', 'with\nline', 'with\r\nlines', 'ünï ✓ 😀', "'; --",
             ' leading and trailing ', '=1+1', '\ttab', '\ufeffmark', '\r', '\\', 'null', '1e5', 'true']
    runs = []
    for i in range(count):
        experts = draw.choice([1, 1, 2, 8, 64])
        n_active = draw.uniform(1e7, 1e10)
        run = {'name': f'{i} {draw.choice(texts)}', 'n_active': n_active,
               'tokens': 10 ** draw.uniform(8, 13), 'loss': draw.uniform(1.5, 5), 'experts': experts}
        if draw.random() < .5:
            run['n_total'] = n_active * draw.uniform(1, experts + 1)
        optional = {'granularity': draw.choice([1, 2, 4.5]), 'train_flops': draw.uniform(1e17, 1e24),
                    'weight': draw.choice([0, 0.1, 1, 3]), 'loss_stderr': draw.uniform(0, .1),
                    'seed': draw.randrange(-2 ** 52, 2 ** 52), 'step': draw.randrange(10 ** 6),
                    'final': draw.random() < .5, 'url': f'https://x.example/{i}?a=1,2&b="',
                    'excluded': draw.random() < .5, 'excluded_reason': draw.choice(texts),
                    'recorded_at': f'2025-0{draw.randrange(1, 9)}-11T10:00:0{i % 10}.{i % 1000000:06d}Z',
                    'tags': {t: draw.choice(texts) for t in draw.sample(['a', 'b', 'ü', 'x,y', 'z"'], 2)}}
        for name, value in optional.items():
            if draw.random() < .3:
                run[name] = value
        run['url'] = urllib.parse.quote(run['url'], safe=':/?&=,') if 'url' in run else None
        runs.append(run)
    return runs


def write(runs, form):
    if form == 'json':
        return json.dumps(runs).encode()
    if form == 'ndjson':
        return b''.join(json.dumps(run, ensure_ascii=False).encode() + b'\n' for run in runs)
    tags = sorted({tag for run in runs for tag in run.get('tags') or {}})
    columns = sorted({name for run in runs for name in run} - {'tags'})
    text = io.StringIO(newline='')
    writer = csv.writer(text)
    writer.writerow(columns + [f'tag.{tag}' for tag in tags])
    for run in runs:
        cells = [run.get(name) for name in columns] + [(run.get('tags') or {}).get(t) for t in tags]
        writer.writerow([json.dumps(c) if isinstance(c, (bool, int, float)) else c for c in cells])
    return text.getvalue().encode()


def post(study, body, form, query=''):
    return daemon.request('POST', f'/v1/experiments?study={study}{query}', body,
                          {'Content-Type': TYPES[form]}, timeout=120)


def get(study, form, query=''):
    return daemon.request('GET', f'/v1/experiments?study={study}&format={form}{query}', timeout=120)


def stored(study):
    """Every run of a study, by its JSON pages."""
    runs, cursor = [], ''
    while cursor is not None:
        page = get(study, 'json', f'&limit=1000{cursor and "&cursor=" + cursor}').json
        runs += page['items']
        cursor = page['next_cursor']
    return runs


def same_run(run, got):
    """Whether what was stored is what was sent, absent fields aside."""
    for name, value in run.items():
        if name == 'tags':
            assert got['tags'] == (value or {}), (run, got)
        elif name == 'recorded_at':
            assert got[name].rstrip('Z0').rstrip('.') == value.rstrip('Z0').rstrip('.'), (run, got)
        else:
            assert got[name] == value, (name, value, got[name])


def arrives_whole(form):
    study = f'whole-{form}'
    assert daemon.study(study).status == 201
    runs = awkward_runs(ROWS, form)
    answer = post(study, write(runs, form), form)
    assert answer.status == 201 and answer.json['inserted'] == ROWS, answer
    got = stored(study)
    assert [run['id'] for run in got] == answer.json['ids'] == sorted(answer.json['ids'])
    for sent, back in zip(runs, got, strict=True):
        same_run(sent, back)


def posts_back_unchanged(form):
    study = f'whole-{form}'
    for out in ('csv', 'ndjson'):
        body = get(study, out).body
        answer = post(study, body, out)
        assert answer.status == 200 and answer.json['unchanged'] == ROWS, (out, answer)
    page = get(study, 'json', '&limit=1000').body
    answer = post(study, page, 'json')
    assert answer.status == 200 and answer.json['unchanged'] == 1000, answer


def arrives_not_at_all(form):
    study = f'none-{form}'
    assert daemon.study(study).status == 201
    runs = awkward_runs(ROWS, form)
    runs[ROWS - 2]['loss'] = -1
    answer = post(study, write(runs, form), form)
    assert answer.status == 400, answer
    error, = answer.json['errors']
    place = (error.get('pointer') or f"/{error['row'] - 1}/{error['column']}")
    assert place == f'/{ROWS - 2}/loss', error
    assert stored(study) == []
    # One name taken by other content, last of all: a conflict undoes the rest.
    assert post(study, json.dumps({**runs[0], 'name': 'taken', 'loss': 9}).encode(), 'json').status == 201
    runs[ROWS - 2].update(loss=1, name='taken')
    answer = post(study, write(runs, form), form)
    assert answer.status == 409 and 'taken' in json.dumps(answer.json), answer
    assert len(stored(study)) == 1


Checked.study = lambda self, name: self.request('PUT', f'/v1/studies/{name}', {})


@tap.test
def ten_thousand_runs_arrive_whole_by_csv():
    arrives_whole('csv')


@tap.test
def ten_thousand_runs_arrive_whole_by_ndjson():
    arrives_whole('ndjson')


@tap.test
def ten_thousand_runs_arrive_whole_by_json():
    arrives_whole('json')


@tap.test
def what_csv_brought_posts_back_unchanged():
    posts_back_unchanged('csv')


@tap.test
def what_ndjson_brought_posts_back_unchanged():
    posts_back_unchanged('ndjson')


@tap.test
def what_json_brought_posts_back_unchanged():
    posts_back_unchanged('json')


@tap.test
def one_bad_row_keeps_ten_thousand_out_by_csv():
    arrives_not_at_all('csv')


@tap.test
def one_bad_row_keeps_ten_thousand_out_by_ndjson():
    arrives_not_at_all('ndjson')


@tap.test
def one_bad_row_keeps_ten_thousand_out_by_json():
    arrives_not_at_all('json')


@tap.test
def an_export_goes_into_an_empty_study_of_another_name_without_ids():
    """Moving house: drop id and study, and everything is inserted as it was."""
    assert daemon.study('moved').status == 201
    rows = list(csv.reader(io.StringIO(get('whole-csv', 'csv').body.decode(), newline='')))
    assert rows[0][:2] == ['id', 'study']
    text = io.StringIO(newline='')
    csv.writer(text).writerows(row[2:] for row in rows)
    answer = post('moved', text.getvalue().encode(), 'csv')
    assert answer.status == 201 and answer.json['inserted'] == ROWS, answer
    for a, b in zip(stored('whole-csv'), stored('moved'), strict=True):
        assert {**a, 'id': 0, 'study': ''} == {**b, 'id': 0, 'study': ''}


@tap.test
def every_form_tells_the_same():
    for study in ('whole-csv', 'whole-json'):
        pages = stored(study)
        lines = [json.loads(line) for line in get(study, 'ndjson').body.splitlines()]
        assert lines == pages
        rows = list(csv.DictReader(io.StringIO(get(study, 'csv').body.decode(), newline='')))
        assert len(rows) == len(pages)
        for row, run in zip(rows, pages):
            tags = {name[4:]: value for name, value in row.items() if name[:4] == 'tag.' and value}
            assert tags == run['tags']
            for name in FIELDS:
                value = run[name]
                text = '' if value is None else value if isinstance(value, str) else json.dumps(value)
                cell = row[name]
                assert cell == text or float(cell) == value, (name, cell, value)


@tap.test
def a_filtered_export_is_the_filtered_list():
    wanted = [run for run in stored('whole-csv')
              if run['experts'] >= 8 and run['excluded'] is False and run['tags'].get('a')]
    assert 0 < len(wanted) < ROWS
    values = ','.join(sorted({run['tags']['a'].replace('\\', '\\\\').replace(',', '\\,')
                              for run in wanted}))
    query = '&' + urllib.parse.urlencode({'experts_min': 8, 'excluded': 'false', 'tag.a': values})
    lines = [json.loads(line) for line in get('whole-csv', 'ndjson', query).body.splitlines()]
    assert lines == wanted


@tap.test
def a_stream_holds_what_there_was_when_it_began():
    """Runs stored while the export is read are not in it, and disturb nothing."""
    body = b''
    import http.client
    connection = http.client.HTTPConnection('127.0.0.1', daemon.port, timeout=60)
    connection.request('GET', '/v1/experiments?study=whole-json&format=csv')
    response = connection.getresponse()
    body += response.read(1000)
    late = [{'name': f'late {i}', 'n_active': 1e8, 'tokens': 1e9, 'loss': 3, 'tags': {'late': 'yes'}}
            for i in range(200)]
    assert post('whole-json', write(late, 'json'), 'json').status == 201
    body += response.read()
    connection.close()
    rows = list(csv.reader(io.StringIO(body.decode(), newline='')))
    assert len(rows) == ROWS + 1, len(rows)
    assert {len(row) for row in rows} == {len(rows[0])}


@tap.test
def too_many_tags_for_a_table_are_told_and_ndjson_has_them():
    assert daemon.study('tags').status == 201
    runs = [{'n_active': 1e8, 'tokens': 1e9, 'loss': 3, 'seed': i,
             'tags': {f't{i}-{k}': 'v' for k in range(60)}} for i in range(4)]
    assert post('tags', write(runs, 'json'), 'json').status == 201
    answer = get('tags', 'csv')
    assert answer.status == 422 and answer.json['code'] == 'unsupported', answer
    assert get('tags', 'csv', '&fields=name,loss').status == 200
    assert len(get('tags', 'ndjson').body.splitlines()) == 4


@tap.test
def a_request_lists_its_first_thousand_faults_and_counts_the_rest():
    rows = b'n_active,tokens,loss\n' + b'-1,1e9,3\n' * 1500
    answer = post('tags', rows, 'csv')
    assert answer.status == 400, answer
    assert len(answer.json['errors']) == 1000 and answer.json['errors_left_out'] == 500


@tap.test
def a_request_lists_its_first_thousand_warnings_and_counts_the_rest():
    rows = b'name,n_active,tokens,loss\n' + b''.join(b'w%d,1e9,20,3\n' % i for i in range(1500))
    answer = post('tags', rows, 'csv')
    assert answer.status == 201, answer
    warnings = answer.json['warnings']
    assert len(warnings) == 1001 and warnings[-1]['code'] == 'more_warnings', warnings[-1]
    assert '500' in warnings[-1]['detail']


if __name__ == '__main__':
    tap.main(daemon.close)
