"""bench: what the benchmarks of the whole service share: the daemon, rounds, rows, a place on disk.

Importing it puts tests/lib on the path and temporary files under $MOEPLAN_BUILD, on the disk the
program is built on: /tmp may be memory, where to be on disk costs nothing.
"""
import contextlib
import json
import os
import pathlib
import shutil
import statistics
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get('MOEPLAN_BUILD', ROOT / 'build')).resolve()
ROUNDS = 5

sys.path.insert(0, str(ROOT / 'tests/lib'))
os.environ.setdefault('MOEPLAN_BIN', str(BUILD / 'moeplan'))
(BUILD / 'tmp').mkdir(parents=True, exist_ok=True)
tempfile.tempdir = str(BUILD / 'tmp')


@contextlib.contextmanager
def scratch():
    """A folder that is gone afterwards."""
    folder = tempfile.mkdtemp(prefix='bench-')
    try:
        yield pathlib.Path(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def row(what, against, ratio, goal=None):
    """A row of the table, see run.py."""
    print(json.dumps({'what': what, 'against': against, 'ratio': ratio, 'goal': goal}), flush=True)


def remark(text):
    print(text, flush=True)


def spread(values, form='.3g'):
    """Median, least and greatest, as text: what the rounds saw."""
    return (f'{statistics.median(values):{form}} '
            f'({min(values):{form}} to {max(values):{form}})')


def median_ratio(ours, theirs):
    """Of the rounds: lists of the same length, in the order they were measured."""
    return statistics.median(a / b for a, b in zip(ours, theirs, strict=True))
