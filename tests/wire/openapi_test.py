#!/usr/bin/python3
"""openapi.json itself: valid, whole, and strict."""
import re

from checked import Checked, Document
import tap

import jsonschema

daemon = Checked()
document = daemon.free('GET', '/openapi.json').json
METHODS = ('get', 'put', 'post', 'patch', 'delete')


def operations():
    for path, item in document['paths'].items():
        for method, operation in item.items():
            yield path, method, operation


def nodes(value, at='#'):
    yield at, value
    children = value.items() if isinstance(value, dict) else \
        enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        yield from nodes(child, f'{at}/{key}')


def schemas():
    """Every schema object of the document, wherever it stands."""
    for at, node in nodes(document['components']['schemas'], '#/components/schemas'):
        if isinstance(node, dict) and is_schema_place(at):
            yield at, node
    for at, node in nodes(document['paths'], '#/paths'):
        if isinstance(node, dict) and re.search(r'/schema(/|$)', at) and \
                is_schema_place(at.split('/schema', 1)[1]):
            yield at, node


def is_schema_place(at):
    """Whether a pointer below a schema leads to a schema: not into `properties` itself."""
    return not re.search(r'/(properties|patternProperties|enum|required|const|default|type|anyOf|'
                         r'oneOf|allOf)$', at)


@tap.test
def it_is_openapi_3_1_with_the_members_that_must_be_there():
    assert re.fullmatch(r'3\.1\.\d+', document['openapi']), document['openapi']
    assert document['info']['title'] and document['info']['version']
    assert document['paths'] and document['components']['schemas']


@tap.test
def every_reference_resolves():
    resolver = Document(document).resolver
    references = [(at, node['$ref']) for at, node in nodes(document)
                  if isinstance(node, dict) and isinstance(node.get('$ref'), str)]
    assert len(references) > 100, len(references)
    for at, reference in references:
        assert reference.startswith('#/'), (at, reference)
        resolver.resolve(reference)


@tap.test
def every_component_is_used():
    used = {node['$ref'] for _, node in nodes(document)
            if isinstance(node, dict) and isinstance(node.get('$ref'), str)}
    for kind in ('schemas', 'responses', 'headers', 'parameters'):
        for name in document['components'][kind]:
            assert f'#/components/{kind}/{name}' in used, f'{kind}/{name} is used by nothing'


@tap.test
def every_schema_is_valid_json_schema_2020_12():
    for name, schema in document['components']['schemas'].items():
        try:
            jsonschema.Draft202012Validator.check_schema(schema)
        except jsonschema.SchemaError as error:
            raise AssertionError(f'{name}: {error.message}') from None
    for at, schema in schemas():
        jsonschema.Draft202012Validator.check_schema(schema)


@tap.test
def objects_list_what_is_required_and_allow_nothing_else():
    seen = 0
    for at, schema in schemas():
        if schema.get('type') != 'object' or 'properties' not in schema:
            continue
        seen += 1
        # But configurations of others, whose further keys are their own business.
        others = at.endswith('/ModelConfig')
        assert schema.get('additionalProperties') is others, f'{at} allows other members'
        assert 'required' in schema or 'minProperties' in schema or at.endswith('/Where'), at
        assert set(schema.get('required', [])) <= set(schema['properties']), at
    assert seen > 30, seen


@tap.test
def operations_are_named_once_and_described():
    names = [operation['operationId'] for _, _, operation in operations()]
    assert len(names) == len(set(names)) and len(names) >= 30, sorted(names)
    for path, method, operation in operations():
        assert method in METHODS, (path, method)
        assert operation['summary'] and operation['tags'], (path, method)


@tap.test
def path_parameters_are_declared_as_the_path_has_them():
    for path, method, operation in operations():
        wanted = re.findall(r'\{([^}]+)\}', path)
        declared = [p['name'] for p in operation['parameters'] if p.get('in') == 'path']
        assert declared == wanted, (path, method, declared)
        assert all(p['required'] for p in operation['parameters'] if p.get('in') == 'path')


@tap.test
def parameters_have_a_schema_and_words_and_stand_once():
    for path, method, operation in operations():
        names = [(p['in'], p['name']) for p in operation['parameters'] if 'name' in p]
        assert len(names) == len(set(names)), (path, method, names)
        for parameter in operation['parameters']:
            if parameter.get('in') == 'query':
                assert parameter['schema'], (path, parameter)
                assert parameter['description'].strip(), (path, parameter)


@tap.test
def replies_have_a_schema_and_errors_are_problems():
    for path, method, operation in operations():
        good = [status for status in operation['responses'] if status < '300']
        assert good, (path, method)
        for status, response in operation['responses'].items():
            response = Document(document).resolve(response)
            assert response['description'], (path, method, status)
            if status >= '400':
                assert list(response['content']) == ['application/problem+json'], (path, status)
            elif status not in ('204', '304'):
                assert response['content'], (path, method, status)
                for media, content in response['content'].items():
                    assert content['schema'], (path, method, status, media)


@tap.test
def bodies_have_a_schema_for_each_type():
    for path, method, operation in operations():
        body = operation.get('requestBody')
        assert (body is not None) <= (method in ('put', 'post', 'patch')), (path, method)
        for media, content in (body or {}).get('content', {}).items():
            assert content['schema'], (path, method, media)


@tap.test
def a_body_that_must_be_there_is_required():
    """Sent without one: what may be left out is never missed, what must not always is."""
    run = {'n_active': 1e8, 'n_total': 1e8, 'tokens': 1e9, 'experts': 1, 'loss': 3}
    assert daemon.request('POST', '/v1/experiments', run).json['ids'] == [1]
    for path, method, operation in operations():
        if 'requestBody' not in operation:
            continue
        target = re.sub(r'\{[^}]+\}', '1', path)
        media = next(iter(operation['requestBody']['content']))
        answer = daemon.request(method.upper(), target, b'', {'Content-Type': media})
        refused = answer.status == 400 and (b'empty' in answer.body or b'required' in answer.body)
        # A plan may come in the query string, and lacks its limits without either.
        assert operation['requestBody']['required'] == (refused and path != '/v1/plan'), answer


@tap.test
def every_operation_states_that_urls_and_headers_have_limits():
    for path, method, operation in operations():
        target = re.sub(r'\{[^}]+\}', '1', path)
        body = b'' if 'requestBody' in operation else None
        assert daemon.request(method.upper(), f'{target}?{"x" * 20_000}', body).status == 414
        assert daemon.request(method.upper(), target, body, {'X-Long': 'x' * 20_000}).status == 431


@tap.test
def defaults_are_valid_by_their_own_schemas():
    checker = Document(document)
    seen = 0
    for at, schema in schemas():
        if 'default' in schema:
            seen += 1
            errors = checker.errors({k: v for k, v in schema.items()}, schema['default'])
            assert not errors, f'{at}: {errors}'
    assert seen > 30, seen


@tap.test
def every_status_the_contract_knows_has_words():
    stated = {status for _, _, operation in operations() for status in operation['responses']}
    for status in ('200', '201', '204', '304', '400', '401', '403', '404', '406', '409', '412',
                   '413', '414', '415', '422', '429', '431', '503', '507'):
        assert status in stated, status


@tap.test
def every_get_route_answers_as_stated():
    """Each path once with nothing but what it requires: whatever comes must be stated."""
    for path, method, operation in operations():
        if method == 'get':
            daemon.request('GET', re.sub(r'\{[^}]+\}', '1', path))


@tap.test
def an_unknown_parameter_is_refused_by_every_route():
    for path, method, operation in operations():
        if path in ('/', '/static/{file}', '/static/vendor/{file}', '/examples/{file}'):
            continue
        answer = daemon.request(method.upper(), re.sub(r'\{[^}]+\}', '1', path) + '?zzz=1',
                                body={} if method in ('put', 'post', 'patch') else None)
        assert answer.status in (400, 403, 404, 409, 415), (path, method, answer)
        if answer.status == 400:
            named = [e.get('parameter') for e in answer.json.get('errors', [])]
            assert 'zzz' in named or '/zzz' in named or method != 'get', (path, method, answer)


@tap.test
def the_docs_page_names_every_route_and_every_error_code():
    page = daemon.request('GET', '/docs').body.decode()
    for path, method, operation in operations():
        assert f'{method.upper()} {path}' in page, (method, path)
    for anchor in ('infeasible', 'invalid', 'study_not_found', 'not_identifiable'):
        assert f'id="{anchor}"' in page, anchor


if __name__ == '__main__':
    tap.main(daemon.close)
