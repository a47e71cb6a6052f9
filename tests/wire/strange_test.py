#!/usr/bin/python3
"""Strange requests, many of them: whatever is asked, the reply is one openapi.json states, in time,
and never a 500. Seeded, so that a failure comes back."""
import json
import random
import time
import urllib.parse

from checked import Checked
import tap

SLOWEST_S = 20
daemon = Checked()
daemon.load_sample()
FIT = daemon.post('/v1/fits', {'study': 'marin-moe', 'law': 'joint', 'bootstrap': 20}).json['id']

NUMBERS = ['0', '-0', '1', '2', '8', '0.5', '1e-308', '5e-324', '1e308', '1.7976931348623157e308',
           '1e309', '-1', '1e22', '1e20', '3e9', '64', '1e6', '0.1', '1e15', '9007199254740993',
           '1' * 400, '1e-400']
SUFFIXED = ['80GB', '80G', '1KiB', '1kb', '5B', '5T', '2K', '2k', '1e3M', '.5B', '5.B', '1,000',
            '0x10', 'inf', 'nan', '-inf', 'NaN', '1e', 'e5', '+5', '1_0', '٣', '1 ', ' 1', '']
LISTS = ['1,2,4', '1,,2', ',', '8,8,8', '1,2,x', ','.join(map(str, range(1, 66))), '1e300,2', '1.5']
TEXTS = ['joint', 'joint-2025', 'chinchilla-2024', 'fine-grained-e64-2024', 'joint-granular-composed',
         'sparsity-2025', 'nope', str(FIT), '0', '-1', '99999999999999999999', 'true', 'false', 'null',
         'default', 'marin-moe', 'a' * 300, '😀', '\u0000', '../../etc/passwd', "' OR 1=1 --",
         '<script>', '%s%n', 'loss', 'compute', 'memory', 'csv', 'json', 'ndjson', 'optimum,dense',
         'items', 'fields', '\ud7ff', '\u202e', '2025-01-01T00:00:00Z', '9999-12-31T23:59:60+23:59']


def parameters():
    """(method, path, [names]) of every operation that takes parameters or a body table."""
    for path, item in daemon.document.document['paths'].items():
        for method, operation in item.items():
            names = [p['name'] for p in operation['parameters'] if p.get('in') == 'query']
            body = operation.get('requestBody', {}).get('content', {}).get('application/json')
            members = list(body['schema'].get('properties', {})) if body else []
            yield method.upper(), path, names, members


OPERATIONS = [o for o in parameters() if o[1].startswith('/v1/') and o[1] != '/v1/backup']
PATHS = {'{study}': ['default', 'marin-moe', 'nope', '%F0%9F%98%80', 'x' * 70, '%2F'],
         '{id}': ['1', '64', '0', '-1', 'x', '9' * 30, '1%00'], '{law}': ['joint', 'routed', 'nope'],
         '{fit}': [str(FIT), 'joint-2025', '0', 'nope', '9' * 20],
         '{kind}': ['isoflop', 'tokens', 'experts', 'frontier', 'contour', 'x']}


def fill_path(draw, path):
    for name, choices in PATHS.items():
        path = path.replace(name, draw.choice(choices))
    return path


def strange_text(draw):
    return draw.choice(draw.choice([NUMBERS, NUMBERS, SUFFIXED, LISTS, TEXTS]))


def strange_value(draw, depth=0):
    kind = draw.randrange(9 if depth < 3 else 6)
    if kind < 3:
        text = draw.choice(NUMBERS)
        return RawNumber(text) if text.strip('-') else 0
    if kind == 3:
        return draw.choice([True, False, None])
    if kind < 6:
        return strange_text(draw)
    if kind == 6:
        return [strange_value(draw, depth + 1) for _ in range(draw.randrange(4))]
    return {draw.choice(TEXTS + ['mean', 'sd', 'fraction', 'alpha', 'c', 'experts_min', 'tag.sweep']):
            strange_value(draw, depth + 1) for _ in range(draw.randrange(4))}


class RawNumber(float):
    """A number written as its own text, so that 1e309 stays 1e309."""

    def __new__(cls, text):
        number = super().__new__(cls, 0)
        number.text = text
        return number

    def __repr__(self):
        return self.text


def dump(value):
    if isinstance(value, RawNumber):
        return value.text
    if isinstance(value, dict):
        return '{' + ','.join(f'{json.dumps(k)}:{dump(v)}' for k, v in value.items()) + '}'
    if isinstance(value, list):
        return '[' + ','.join(map(dump, value)) + ']'
    return json.dumps(value)


def ask(method, path, body=None, headers=None):
    started = time.monotonic()
    answer = daemon.request(method, path, body, headers)
    seconds = time.monotonic() - started
    assert answer.status < 500, (method, path, body, answer)
    assert seconds < SLOWEST_S, (method, path, body, seconds)
    return answer


def strange_query(draw, names):
    base = draw.choice([{}, {'compute': '1e21'}, {'study': 'marin-moe'},
                        {'n_active': '1e9', 'tokens': '1e10'}])
    pairs = [(name, value) for name, value in base.items() if name in names]
    pairs += [(draw.choice(names) if names and draw.random() < .97 else strange_text(draw),
              strange_text(draw)) for _ in range(draw.randrange(4))]
    return urllib.parse.urlencode(pairs, errors='surrogatepass')


@tap.test
def strange_queries_are_answered_as_stated():
    draw = random.Random(1)
    gets = [o for o in OPERATIONS if o[0] == 'GET']
    counts = {}
    for _ in range(1500):
        method, path, names, _ = draw.choice(gets)
        answer = ask(method, fill_path(draw, path) + '?' + strange_query(draw, names))
        counts[answer.status] = counts.get(answer.status, 0) + 1
    assert counts.get(200, 0) > 20 and counts[400] > 200, counts


@tap.test
def strange_bodies_are_answered_as_stated():
    draw = random.Random(2)
    writes = [o for o in OPERATIONS if o[0] in ('POST', 'PUT', 'PATCH')]
    for _ in range(1500):
        method, path, names, members = draw.choice(writes)
        members = members or ['n_active', 'tokens', 'loss', 'name', 'items', 'study', 'experts', 'tags']
        body = {draw.choice(members + ['zzz']): strange_value(draw)
                for _ in range(draw.randrange(7))}
        if path == '/v1/experiments' and draw.random() < .5:
            body = [body, strange_value(draw)]
        ask(method, fill_path(draw, path), dump(body).encode(), {'Content-Type': 'application/json'})


@tap.test
def plans_of_extreme_numbers_end_and_are_numbers():
    """Every limit at every magnitude: an answer with finite numbers, or a refusal."""
    draw = random.Random(3)
    limits = ['memory', 'train_memory', 'max_tokens', 'max_n_active', 'min_tokens_per_param',
              'max_tokens_per_param', 'kv_tokens', 'inference_tokens', 'bytes_per_param',
              'train_bytes_per_param', 'slack', 'target_loss', 'experts', 'granularity', 'level']
    fits = ['joint-2025', 'chinchilla-2022', 'fine-grained-e64-2024', 'joint-granular-composed',
            'sparsity-2025', str(FIT)]
    answered = 0
    for _ in range(700):
        query = {'fit': draw.choice(fits), 'compute': f'{10 ** draw.uniform(-300, 300):.3e}'
                 if draw.random() < .3 else f'{10 ** draw.uniform(17, 28):.3e}'}
        for name in draw.sample(limits, draw.randrange(4)):
            wild = draw.random() < .3
            query[name] = f'{10 ** (draw.uniform(-300, 300) if wild else draw.uniform(-2, 15)):.3e}'
        if 'target_loss' in query:
            query['objective'] = draw.choice(['compute', 'memory'])
            query['target_loss'] = f'{draw.uniform(.1, 10):.3f}'
        path = draw.choice(['/v1/plan', '/v1/plan', '/v1/plan', '/v1/curves/isoflop',
                            '/v1/curves/frontier', '/v1/curves/tokens', '/v1/curves/experts'])
        if path != '/v1/plan':
            for name in ('objective', 'target_loss', 'slack'):
                query.pop(name, None)
            query['points'] = '5'
        answer = ask('GET', f'{path}?{urllib.parse.urlencode(query)}')
        answered += answer.status == 200
        if answer.status == 200 and path == '/v1/plan':
            optimum = answer.json['optimum']
            assert all(optimum[name] is not None for name in ('loss', 'n_active', 'tokens')), query
    assert answered > 100, answered


@tap.test
def predictions_of_extreme_numbers_are_numbers_or_refused():
    draw = random.Random(4)
    for _ in range(500):
        query = {'fit': draw.choice(['joint-2025', 'chinchilla-2022', 'fine-grained-e16-2024',
                                     'sparsity-2025', str(FIT)]),
                 'n_active': f'{10 ** draw.uniform(-300, 300):.3e}',
                 'tokens': f'{10 ** draw.uniform(-300, 300):.3e}'}
        answer = ask('GET', '/v1/predict?' + urllib.parse.urlencode(query))
        if answer.status == 200:
            assert answer.json['loss'] > 0, answer


@tap.test
def strange_cursors_are_refused_or_lead_somewhere():
    draw = random.Random(5)
    real = daemon.get('/v1/experiments', {'study': 'marin-moe', 'limit': 3}).json['next_cursor']
    for _ in range(300):
        cursor = list(real)
        for _ in range(draw.randrange(1, 3)):
            cursor[draw.randrange(len(cursor))] = draw.choice('ABCDwxyz0189-_')
        text = ''.join(cursor)[:draw.randrange(1, len(cursor) + 1)]
        answer = ask('GET', f'/v1/experiments?study=marin-moe&limit=3&cursor={text}')
        assert answer.status == 400 or text == real or answer.status == 200, answer


@tap.test
def torn_bodies_are_refused():
    """Every prefix of a good body, and the body with a byte changed."""
    draw = random.Random(6)
    body = json.dumps({'items': [{'name': 'x', 'n_active': 1e8, 'tokens': 1e10, 'loss': 3.5,
                                  'tags': {'a': 'b'}}]}).encode()
    json_type = {'Content-Type': 'application/json'}
    for i in range(1, len(body)):
        assert ask('POST', '/v1/experiments', body[:i], json_type).status == 400
    for _ in range(300):
        torn = bytearray(body)
        torn[draw.randrange(len(torn))] = draw.randrange(256)
        ask('POST', '/v1/experiments?on_conflict=replace', bytes(torn), json_type)


@tap.test
def torn_tables_are_refused_or_stored():
    draw = random.Random(7)
    table = b'name,n_active,tokens,loss,tag.a\r\nx,1e8,1e10,3.5,"b,""c"""\r\ny,2e8,1e10,3,\r\n'
    for _ in range(500):
        torn = bytearray(table)
        for _ in range(draw.randrange(1, 3)):
            at = draw.randrange(len(torn))
            torn[at:at + 1] = draw.choice([b'', b'"', b',', b'\r', b'\n', b'\0', b'\xff', b'-', b'e'])
        ask('POST', '/v1/experiments?on_conflict=replace', bytes(torn), {'Content-Type': 'text/csv'})


if __name__ == '__main__':
    tap.main(daemon.close)
