"""Runs every suite of the project and adds them up.

A suite is a program that prints TAP: the executables of build/san/tests (and of build/tests, where
malloc fails on demand, which a sanitizer would not let it), and the scripts with a `#!` line in
tests/lib, wire and browser. A suite that ends without the plan it announced, with a bad exit status,
or too late counts as one failure of its own, whatever its other lines say. The last line is
`N passed, N failed, N skipped`.

What suites are given in the environment: MOEPLAN_BIN (the daemon to talk to), MOEPLAN_DATA (the
folder of real runs, may be unset), and sanitizer options that make every finding fatal.
"""
import argparse
import concurrent.futures
import dataclasses
import os
import pathlib
import re
import signal
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
PLAIN, SAN, TSAN = ROOT / 'build', ROOT / 'build/san', ROOT / 'build/tsan'
PYTHON = '/usr/bin/python3'
LINE = re.compile(r'^(?P<verdict>ok|not ok)\b\s*(?P<number>\d+)?\s*(?:-\s*)?(?P<name>.*)$')
SKIP = re.compile(r'#\s*skip\b', re.IGNORECASE)
PLAN = re.compile(r'^1\.\.(\d+)\b(.*)$')
TAIL_LINES = 60
SANITIZERS = {
    'ASAN_OPTIONS': 'detect_leaks=1:abort_on_error=0:exitcode=99:allocator_may_return_null=1',
    'UBSAN_OPTIONS': 'print_stacktrace=1:halt_on_error=1',
    'TSAN_OPTIONS': 'halt_on_error=1:exitcode=99',
}


@dataclasses.dataclass
class Suite:
    name: str
    command: list
    timeout_s: float
    env: dict = dataclasses.field(default_factory=dict)


@dataclasses.dataclass
class Outcome:
    suite: Suite
    passed: list
    failed: list
    skipped: list
    output: str
    seconds: float


def executables(folder):
    """Programs below a folder, in order: regular, executable, not a library or an object."""
    return [p for p in sorted(folder.rglob('*'))
            if p.is_file() and os.access(p, os.X_OK) and p.suffix not in ('.so', '.o', '.a')]


def scripts(folder):
    """Python scripts that are suites; those without a #! line are modules the others import."""
    return [p for p in sorted(folder.glob('*.py')) if p.read_bytes().startswith(b'#!')]


def find_suites():
    daemon = {'MOEPLAN_BIN': str(SAN / 'moeplan')}
    suites = [Suite(f'{name} {p.relative_to(build / "tests")}', [str(p)], 600, daemon)
              for name, build in (('plain', PLAIN), ('unit', SAN))
              for p in executables(build / 'tests')]
    for kind, timeout_s in (('lib', 60), ('wire', 600), ('browser', 300)):
        suites += [Suite(f'{kind} {p.stem}', [PYTHON, str(p)], timeout_s, daemon)
                   for p in scripts(ROOT / 'tests' / kind)]
    # The suites that make threads meet run once more against the ThreadSanitizer build.
    threaded = {'MOEPLAN_BIN': str(TSAN / 'moeplan')}
    suites += [Suite(f'tsan {p.stem}', [PYTHON, str(p)], 600, threaded)
               for p in scripts(ROOT / 'tests/wire') if '# tsan' in p.read_text()[:2000]]
    return suites


def read_tap(text):
    """(passed, failed, skipped, planned) of a TAP stream; planned is None when none was printed."""
    passed, failed, skipped, planned = [], [], [], None
    for line in text.splitlines():
        plan = PLAN.match(line)
        if plan:
            planned = (planned or 0) + int(plan[1])
            if plan[1] == '0' and SKIP.search(plan[2]):
                skipped.append(plan[2].split('#', 1)[1].strip())
            continue
        test = LINE.match(line)
        if not test:
            continue
        name = test['name'].strip()
        # cmocka 1.1.5 writes a skipped test as "not ok N # SKIP name".
        if SKIP.search(name):
            skipped.append(name.lstrip('# '))
        elif test['verdict'] == 'ok':
            passed.append(name)
        else:
            failed.append(name)
    return passed, failed, skipped, planned


def judge(suite, text, status, seconds):
    passed, failed, skipped, planned = read_tap(text)
    told = len(passed) + len(failed) + len([s for s in skipped if planned])
    if status is None:
        failed.append(f'(did not end within {suite.timeout_s:g} s)')
    elif planned is None:
        failed.append(f'(printed no plan; exit status {status})')
    elif told != planned:
        failed.append(f'(announced {planned} tests, told of {told}; exit status {status})')
    elif status != 0 and not failed:
        failed.append(f'(exit status {status} without a failed test)')
    return Outcome(suite, passed, failed, skipped, text, seconds)


def run(suite):
    env = {**os.environ, **SANITIZERS, **suite.env, 'CMOCKA_MESSAGE_OUTPUT': 'TAP'}
    started = time.monotonic()
    process = subprocess.Popen(suite.command, cwd=ROOT, env=env, stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                               start_new_session=True)
    try:
        output, _ = process.communicate(timeout=suite.timeout_s)
        status = process.returncode
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        output, _ = process.communicate()
        status = None
    text = output.decode('utf-8', 'replace')
    return judge(suite, text, status, time.monotonic() - started)


def report(outcome):
    counts = f'{len(outcome.passed)} passed'
    if outcome.failed:
        counts += f', {len(outcome.failed)} FAILED'
    if outcome.skipped:
        counts += f', {len(outcome.skipped)} skipped'
    print(f'{outcome.suite.name:<34} {counts}  ({outcome.seconds:.1f} s)', flush=True)
    for name in outcome.skipped:
        print(f'    skipped: {name}')
    if outcome.failed:
        for name in outcome.failed:
            print(f'    FAILED: {name}')
        for line in outcome.output.splitlines()[-TAIL_LINES:]:
            print(f'    | {line}')
    sys.stdout.flush()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--jobs', type=int, default=os.cpu_count())
    parser.add_argument('--list', action='store_true', help='name the suites and stop')
    parser.add_argument('only', nargs='*', help='run the suites whose name contains one of these')
    options = parser.parse_args()

    suites = [s for s in find_suites()
              if not options.only or any(word in s.name for word in options.only)]
    if options.list:
        print('\n'.join(s.name for s in suites))
        return 0
    passed = failed = skipped = 0
    # The slowest kinds were listed last; started first, they do not leave a core idle at the end.
    with concurrent.futures.ThreadPoolExecutor(max(1, options.jobs)) as pool:
        for future in concurrent.futures.as_completed([pool.submit(run, s) for s in suites[::-1]]):
            outcome = future.result()
            report(outcome)
            passed += len(outcome.passed)
            failed += len(outcome.failed)
            skipped += len(outcome.skipped)
    if not suites:
        print('no suite found: build first (make test does)')
        failed = 1
    print(f'{passed} passed, {failed} failed, {skipped} skipped')
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
