#!/usr/bin/python3
"""The cases of tests/cases: requests and the replies they must get, as they would go over the wire.

    ## a sentence that names the test
    > POST /v1/experiments?study=${study}
    > Content-Type: application/json
    {"name": "a", "n_active": 1e8, "tokens": 1e10, "loss": 3}
    < 201
    < Location: /v1/experiments/$id
    {"study": "${study}", "ids": ["$id"], …}

Lines with `>` are the request, those with `<` the reply; what follows each is its body. A test may
hold several exchanges. `${name}` stands for what an earlier `$name` matched; `${study}` is the
file's own, empty study; ${x200} and ${emoji200} are that many characters. In expected JSON `…` is any value, the rest of a list or of a text, or further
members;
"≈1.5 ±2%" is a number near that. Other bodies are compared line by line, `…` being any rest.
A request without a Content-Type and with a body is JSON. A body of `@path` is that file.
"""
import json
import math
import pathlib
import re

from checked import Checked
import tap

CASES = pathlib.Path(__file__).resolve().parents[1] / 'cases'
ROOT = CASES.parents[1]
MORE = '…'
daemon = Checked()


class Exchange:
    def __init__(self, line):
        self.request, self.status, self.line = None, None, line
        self.headers, self.reply_headers = [], []
        self.body, self.reply_body = [], []


def read_cases(path):
    """[(sentence, [Exchange])] of a file."""
    cases, exchange, in_reply = [], None, False
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        if line.startswith('## '):
            cases.append((line[3:].strip(), []))
            exchange = None
        elif line.startswith('# ') or line == '#':
            continue
        elif line.startswith('> '):
            if exchange is None or in_reply:
                exchange, in_reply = Exchange(number), False
                exchange.request = line[2:]
                cases[-1][1].append(exchange)
            else:
                exchange.headers.append(line[2:].split(': ', 1))
        elif line.startswith('< '):
            if not in_reply:
                exchange.status, in_reply = int(line[2:]), True
            else:
                exchange.reply_headers.append(line[2:].split(': ', 1))
        elif exchange is not None:
            (exchange.reply_body if in_reply else exchange.body).append(line)
    assert cases, path
    for sentence, exchanges in cases:
        assert exchanges and all(e.status for e in exchanges), f'{path}: {sentence}: no reply'
    return cases


def fill(text, names):
    return re.sub(r'\$\{(\w+)\}', lambda match: str(names[match[1]]), text)


def parse_expected(text):
    """JSON with bare ellipses: values become the text …, members a key of that name."""
    parts = re.split(r'("(?:[^"\\]|\\.)*")', text)
    text = ''.join(part if i % 2 else part.replace(MORE, f'"{MORE}"')
                   for i, part in enumerate(parts))
    text = re.sub(r'([{,]\s*)"…"(\s*})', r'\1"…": 0\2', text)
    return json.loads(text)


def match(expected, got, names, at=''):
    """Why got is not as expected, or None."""
    if expected == MORE:
        return None
    if isinstance(expected, str) and expected.startswith('≈'):
        value, tolerance = re.fullmatch(r'≈\s*(\S+)\s*±\s*(\S+)%', expected).groups()
        near = isinstance(got, (int, float)) and \
            math.isclose(got, float(value), rel_tol=float(tolerance) / 100)
        return None if near else f'{at}: {got!r} is not near {value}'
    if isinstance(expected, str) and re.fullmatch(r'\$\w+', expected):
        return match_name(expected[1:], got, names, at)
    if isinstance(expected, str) and MORE in expected and isinstance(got, str):
        why = match_text(expected, got, names)
        return f'{at}: {why}' if why else None
    if isinstance(expected, dict) and isinstance(got, dict):
        return match_object(expected, got, names, at)
    if isinstance(expected, list) and isinstance(got, list):
        return match_list(expected, got, names, at)
    same = expected == got and isinstance(expected, bool) == isinstance(got, bool)
    return None if same else f'{at}: {got!r} where {expected!r} is expected'


def match_name(name, got, names, at):
    if name not in names:
        names[name] = got
        return None
    return None if str(names[name]) == str(got) else f'{at}: {got!r} where ${name} is {names[name]!r}'


def match_object(expected, got, names, at):
    open_ended = MORE in expected
    missing = [key for key in expected if key != MORE and key not in got]
    extra = [] if open_ended else [key for key in got if key not in expected]
    if missing or extra:
        return f'{at}: members missing {missing}, unexpected {extra}: {got!r}'[:1500]
    for key, value in expected.items():
        why = None if key == MORE else match(value, got[key], names, f'{at}/{key}')
        if why:
            return why
    return None


def match_list(expected, got, names, at):
    open_ended = bool(expected) and expected[-1] == MORE
    wanted = expected[:-1] if open_ended else expected
    if len(got) < len(wanted) or (len(got) > len(wanted) and not open_ended):
        return f'{at}: {len(got)} items where {len(wanted)} are expected: {got!r}'[:1500]
    for i, value in enumerate(wanted):
        why = match(value, got[i], names, f'{at}/{i}')
        if why:
            return why
    return None


def match_text(expected, got, names):
    got = got.replace('\r\n', '\n')
    pattern = ''
    for part in re.split(r'(…|\$\w+)', expected):
        if part == MORE:
            pattern += r'[\s\S]*'
        elif part.startswith('$') and part[1:] not in names:
            pattern += f'(?P<{part[1:]}>[^\\s,]+)'
        elif part.startswith('$'):
            pattern += re.escape(str(names[part[1:]]))
        else:
            pattern += re.escape(part)
    found = re.fullmatch(pattern, got)
    if found is None:
        return f'{got[:1500]!r} where {expected!r} is expected'
    names.update(found.groupdict())
    return None


def body_of(lines, names):
    text = '\n'.join(lines).strip('\n')
    if text.startswith('@'):
        return (ROOT / text[1:]).read_bytes()
    # What a keyboard does not have: \xHH stands for a byte.
    data = fill(text, names).encode()
    return re.sub(rb'\\x([0-9A-F]{2})', lambda m: bytes([int(m[1], 16)]), data) if data else None


def play(exchange, names):
    method, _, path = fill(exchange.request, names).partition(' ')
    headers = {name: fill(value, names) for name, value in exchange.headers}
    body = body_of(exchange.body, names)
    if body is not None:
        headers.setdefault('Content-Type', 'application/json')
        if headers['Content-Type'].startswith(('text/csv', 'application/x-ndjson')):
            body += b'\n'
    answer = daemon.request(method, path, body, headers)
    where = f'line {exchange.line}: {method} {path}'
    assert answer.status == exchange.status, f'{where}: {answer}'
    for name, value in exchange.reply_headers:
        got = answer.headers.get(name.lower())
        assert got is not None, f'{where}: no {name}'
        why = match_text(fill(value, names), got, names)
        assert why is None, f'{where}: {name}: {why}'
    expected = fill('\n'.join(exchange.reply_body).strip('\n'), names)
    if not expected:
        return
    media = answer.headers['content-type'].split(';')[0]
    if media.endswith('json') and not media.endswith('ndjson'):
        why = match(parse_expected(expected), answer.json, names)
    else:
        why = match_text(expected, answer.body.decode().rstrip('\r\n'), names)
    assert why is None, f'{where}: {why}'


def make_test(sentence, exchanges, names):
    def run():
        for exchange in exchanges:
            play(exchange, names)
    run.__name__ = sentence
    return run


for path in sorted(CASES.glob('*.case')):
    study = path.stem.replace('_', '-')
    names = {'study': study, 'x64': 'x' * 64, 'x65': 'x' * 65, 'x200': 'x' * 200, 'x201': 'x' * 201,
             'emoji200': '\U0001f600' * 200, 'emoji201': '\U0001f600' * 201}
    made = daemon.request('PUT', f'/v1/studies/{study}', {})
    assert made.status == 201, made
    for sentence, exchanges in read_cases(path):
        tap.test(make_test(f'{path.stem}: {sentence}', exchanges, names))

if __name__ == '__main__':
    tap.main(daemon.close)
