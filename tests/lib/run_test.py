#!/usr/bin/python3
"""The test runner itself: what it must never take for a pass."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

import run
import tap


def outcome(program, timeout_s=20):
    return run.run(run.Suite('sample', ['/bin/sh', '-c', program], timeout_s))


def counts(program, **more):
    result = outcome(program, **more)
    return len(result.passed), len(result.failed), len(result.skipped)


@tap.test
def what_passes_passes():
    assert counts('echo 1..2; echo ok 1 - a; echo ok 2 - b') == (2, 0, 0)


@tap.test
def what_fails_fails():
    assert counts('echo 1..2; echo ok 1 - a; echo not ok 2 - b; exit 1') == (1, 1, 0)


@tap.test
def a_skipped_test_is_named_in_both_notations():
    result = outcome('echo 1..2; echo "not ok 1 # SKIP by_cmocka"; echo "ok 2 - b # SKIP no data"')
    assert (result.passed, result.failed) == ([], [])
    assert result.skipped == ['SKIP by_cmocka', 'b # SKIP no data'], result.skipped


@tap.test
def a_crash_after_a_pass_is_a_failure():
    assert counts('echo 1..2; echo ok 1 - a; kill -SEGV $$') == (1, 1, 0)


@tap.test
def a_short_plan_is_a_failure_even_with_a_good_exit_status():
    assert counts('echo 1..3; echo ok 1 - a; echo ok 2 - b') == (2, 1, 0)


@tap.test
def a_suite_without_a_plan_is_a_failure():
    assert counts('true') == (0, 1, 0)
    assert counts('echo ok 1 - a') == (1, 1, 0)


@tap.test
def a_bad_exit_status_is_a_failure_though_every_test_passed():
    assert counts('echo 1..1; echo ok 1 - a; exit 99') == (1, 1, 0)


@tap.test
def a_suite_that_hangs_is_ended_and_fails():
    assert counts('echo 1..1; echo ok 1 - a; sleep 60', timeout_s=0.5) == (1, 1, 0)


@tap.test
def a_program_that_is_not_there_is_a_failure():
    assert counts('/nonexistent/suite') == (0, 1, 0)


tap.main()
