#!/usr/bin/python3
"""Fits nobody waits for: begun, watched, cancelled, refused when too many, interrupted. # tsan"""
import json
import time
from concurrent.futures import ThreadPoolExecutor

from checked import Checked
import tap

ASYNC = {'Prefer': 'respond-async'}
LONG = {'study': 'marin-moe', 'law': 'joint', 'bootstrap': 10000}
daemon = Checked('--fit-threads', '1', '--max-fits-queued', '2')
daemon.load_sample()


def begin(body, **more):
    answer = daemon.post('/v1/fits', {'study': 'marin-moe', 'law': 'chinchilla', **body},
                         headers=ASYNC, **more)
    assert answer.status == 202, answer
    assert answer.headers['preference-applied'] == 'respond-async'
    assert answer.json['status'] == 'running' and answer.json['finished_at'] is None
    assert {**answer.json['options'], **body}.items() >= answer.json['options'].items(), answer
    assert answer.headers['location'] == f'/v1/fits/{answer.json["id"]}'
    return answer.headers['location']


def wait_for(path, status):
    deadline = time.monotonic() + 60
    while daemon.get(path).json['status'] == 'running' and time.monotonic() < deadline:
        time.sleep(0.02)
    fit = daemon.get(path).json
    assert fit['status'] == status, fit
    return fit


def events(path, timeout=60):
    """[(event, data)] until the stream ends."""
    answer = daemon.get(path + '/events', timeout=timeout)
    assert answer.status == 200 and answer.headers['content-type'] == 'text/event-stream', answer
    found = []
    for block in answer.body.decode().split('\n\n'):
        fields = dict(line.split(': ', 1) for line in block.split('\n') if line and line[0] != ':')
        if fields:
            found.append((fields['event'], json.loads(fields['data'])))
    return found


@tap.test
def a_background_fit_ends_as_the_same_fit_would_in_the_foreground():
    fit = wait_for(begin({'label': 'nightly', 'bootstrap': 20}), 'finished')
    here = daemon.post('/v1/fits', {'study': 'marin-moe', 'law': 'chinchilla', 'label': 'nightly',
                                    'bootstrap': 20}).json
    for name in ('id', 'created_at', 'finished_at'):
        assert fit.pop(name) != here.pop(name)
    assert fit == here


@tap.test
def a_request_that_cannot_be_fitted_is_refused_at_once():
    answer = daemon.post('/v1/fits', {'study': 'marin-moe', 'law': 'chinchilla', 'fixed': {'x': 1}},
                         headers=ASYNC)
    assert answer.status == 400 and answer.json['errors'][0]['pointer'] == '/fixed/x', answer


@tap.test
def what_the_runs_cannot_tell_ends_as_failed_with_the_reasons():
    fit = wait_for(begin({'law': 'joint-granular'}), 'failed')
    assert {w['code'] for w in fit['warnings']} == {'not_identifiable'}, fit
    assert any('/fixed/kappa' in w['detail'] for w in fit['warnings']), fit
    assert fit['coefficients'] is None and fit['finished_at']


@tap.test
def a_failed_fit_answers_nothing():
    failed = begin({'law': 'joint-granular'})
    wait_for(failed, 'failed')
    answer = daemon.get(f'/v1/plan?compute=1e20&study=marin-moe&fit={failed.rsplit("/", 1)[1]}')
    assert answer.status == 409 and 'is failed, not finished' in answer.json['detail'], answer


@tap.test
def progress_is_told_as_events_and_the_end_is_the_fit():
    path = begin({'law': 'joint', 'bootstrap': 300})
    found = events(path)
    assert found[-1][0] == 'end' and found[-1][1] == daemon.get(path).json, found[-1]
    told = [data for name, data in found[:-1]]
    assert all(name == 'progress' for name, _ in found[:-1])
    assert all(data['starts_done'] <= data['starts'] for data in told)
    assert [data['draws_done'] for data in told] == sorted(data['draws_done'] for data in told)
    assert events(path) == [('end', daemon.get(path).json)]
    for missing in ('/v1/fits/99999', '/v1/fits/joint-2025'):
        assert daemon.get(missing + '/events').status == 404


@tap.test
def what_progress_tells_never_goes_back_when_runs_are_held_out():
    found = events(begin({**LONG, 'bootstrap': 4000, 'starts': 90, 'holdout': {'fraction': 0.2}}))
    told, fit = [data for name, data in found[:-1]], found[-1][1]
    assert fit['status'] == 'finished' and fit['holdout']['points'] > 0
    for member in ('starts_done', 'draws_done'):
        assert [data[member] for data in told] == sorted(data[member] for data in told), told
    assert {data['draws'] for data in told} == {4000} and {data['starts'] for data in told} == {90}
    best = [data['best_objective'] for data in told if data['best_objective'] is not None]
    assert best == sorted(best, reverse=True) and best[-1] > 0.99 * fit['objective'], (best, fit)


@tap.test
def deleting_a_running_fit_cancels_it_and_it_stays():
    for pause_s in (0, 0, 0.02, 0.1):
        path = begin(LONG)
        time.sleep(pause_s)
        assert daemon.request('DELETE', path).status == 204
        fit = daemon.get(path).json
        assert fit['status'] == 'cancelled' and fit['finished_at'] >= fit['created_at'], fit
        assert fit['coefficients'] is None and fit['options']['bootstrap'] == LONG['bootstrap']
        assert [warning['code'] for warning in fit['warnings']] == ['cancelled'], fit
        assert events(path)[-1] == ('end', fit)
        assert daemon.get(path).json == fit


@tap.test
def a_cancelled_fit_is_deleted_like_any_other_though_its_work_may_still_be_ending():
    for _ in range(5):
        path = begin(LONG)
        assert daemon.request('DELETE', path).status == 204
        assert daemon.request('DELETE', path).status == 204
        assert daemon.get(path).status == 404
    assert wait_for(begin({}), 'finished')
    assert 'could not be finished' not in daemon.log()


@tap.test
def too_many_fits_are_refused_with_a_time_to_come_back():
    paths = [begin(LONG)]
    time.sleep(0.2) # it left the queue
    paths += [begin(LONG), begin(LONG)]
    refused = daemon.post('/v1/fits', LONG, headers=ASYNC)
    assert refused.status == 429 and int(refused.headers['retry-after']) > 0, refused
    refused = daemon.post('/v1/fits', LONG)
    assert refused.status == 429, refused
    assert daemon.get('/v1/plan?compute=1e22').status == 200
    for path in paths:
        assert daemon.request('DELETE', path).status == 204
    for path in paths:
        wait_for(path, 'cancelled')


@tap.test
def a_cancelled_fit_makes_room_at_once():
    paths = [begin(LONG)]
    time.sleep(0.2) # it left the queue
    for _ in range(10):
        paths = [paths[0], begin(LONG), begin(LONG)]
        for path in paths[1:]:
            assert daemon.request('DELETE', path).status == 204
    assert [daemon.get(path).json['status'] for path in paths] == ['running'] + 2 * ['cancelled']
    waiting = begin(LONG)
    with ThreadPoolExecutor(1) as pool:
        told = pool.submit(events, waiting)
        time.sleep(0.3)
        assert daemon.request('DELETE', waiting).status == 204
        assert told.result(10)[-1] == ('end', daemon.get(waiting).json)
    assert daemon.request('DELETE', paths[0]).status == 204
    assert wait_for(begin({}), 'finished')


@tap.test
def deleting_the_study_of_a_running_fit_takes_it_along():
    daemon.load_sample('gone')
    path = begin({**LONG, 'study': 'gone'})
    assert daemon.request('DELETE', '/v1/studies/gone?force=true').status == 204
    assert daemon.get(path).status == 404
    assert wait_for(begin({}), 'finished')


@tap.test
def a_fit_cut_off_by_the_end_of_the_daemon_is_interrupted():
    for end in (daemon.kill, daemon.stop):
        path = begin(LONG)
        time.sleep(0.1)
        end()
        daemon.start()
        fit = daemon.get(path).json
        assert fit['status'] == 'interrupted', fit
        assert [w['code'] for w in fit['warnings']] == ['interrupted'], fit
        assert fit['options']['bootstrap'] == LONG['bootstrap'], fit
        assert daemon.request('DELETE', path).status == 204


tap.main(daemon.close)
