#!/usr/bin/python3
"""Bootstrap draws, shared out over threads: the same bytes however many. # tsan"""
import pathlib
import threading
import time

from checked import Checked
import tap

one = Checked('--draw-threads', '1')
two = Checked('--draw-threads', '3')
for daemon in (one, two):
    daemon.load_sample()
BODY = {'study': 'marin-moe', 'law': 'joint', 'bootstrap': 101, 'starts': 16, 'seed': 7,
        'holdout': {'fraction': 0.1}}
OWN = ('id', 'label', 'created_at', 'finished_at')


def fit(daemon, **more):
    answer = daemon.post('/v1/fits', {**BODY, **more})
    assert answer.status == 201, answer
    return answer.json


def drawing(daemon):
    """The nice value of each thread that draws now."""
    found = []
    for task in pathlib.Path(f'/proc/{daemon.process.pid}/task').iterdir():
        try:
            if (task / 'comm').read_text().strip() == 'moeplan-draw':
                found.append(int((task / 'stat').read_text().rsplit(')', 1)[1].split()[16]))
        except OSError:
            pass  # it has ended
    return found


@tap.test
def one_thread_and_three_give_the_same_fit():
    a, b = fit(one), fit(two)
    for name in OWN:
        a.pop(name), b.pop(name)
    assert a == b
    assert all(a['intervals'][name] for name in ('a', 'alpha', 'c'))
    assert 0 <= a['holdout']['coverage'] <= 1


@tap.test
def one_thread_and_three_answer_alike_from_the_draws():
    question = '/v1/predict?study=marin-moe&n_active=1e9&tokens=1e11&experts=16&fields=' \
               'loss,interval,prediction_interval'
    a, b = one.get(question), two.get(question)
    assert a.body == b.body and a.json['interval'], a


@tap.test
def threads_that_draw_are_there_only_while_they_draw_and_as_nice_as_the_fit():
    nice = set()
    worker = threading.Thread(target=fit, args=(two,), kwargs={'bootstrap': 1500})
    worker.start()
    while worker.is_alive():
        nice.update(drawing(two))
        time.sleep(0.002)
    worker.join()
    assert nice == {10}, nice
    assert drawing(two) == []


def close():
    one.close()
    two.close()


tap.main(close)
