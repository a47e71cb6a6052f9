#!/usr/bin/python3
"""Posting runs: one at a time against a Python service, a file of them against sqlite3's .import.

Whatever is answered is on disk, on both sides, and is counted in the databases afterwards.
"""
import contextlib
import sqlite3
import subprocess
import time

import bench
import load
import reference
import runs
from daemon import Daemon, free_port

CONNECTIONS = 64
SECONDS = 2
ROWS = 100000
# A study whose id is digits: .import stores it as the integer that a key of a study would be.
STUDY = '1'
# The columns of the file, which are those moeplan fills too, and the keys of moeplan's own table.
IMPORT = '''
.bail on
PRAGMA synchronous = FULL;
CREATE TABLE experiment (study INTEGER NOT NULL, name TEXT NOT NULL, n_active REAL NOT NULL,
    n_total REAL NOT NULL, tokens REAL NOT NULL, experts REAL NOT NULL, granularity REAL NOT NULL,
    loss REAL NOT NULL, seed INTEGER NOT NULL, weight REAL NOT NULL, final TEXT NOT NULL,
    excluded TEXT NOT NULL, recorded_at TEXT NOT NULL, UNIQUE (name, study));
CREATE INDEX experiment_by_study ON experiment (study);
.import --csv --skip 1 {file} experiment
'''


def count(db):
    """Runs in a database nobody has open."""
    with contextlib.closing(sqlite3.connect(db)) as connection:
        return connection.execute('SELECT count(*) FROM experiment').fetchone()[0]


def bulk_post(body):
    """Seconds to post the file to a daemon with an empty database."""
    daemon = Daemon('--log-level', 'warn')
    try:
        assert daemon.request('PUT', f'/v1/studies/{STUDY}', {}).status == 201
        begun = time.monotonic()
        answer = daemon.post(f'/v1/experiments?study={STUDY}', body,
                             headers={'Content-Type': 'text/csv'})
        took = time.monotonic() - begun
        assert answer.status == 201, answer
        assert answer.json['inserted'] == ROWS, answer
        assert daemon.stop() == 0
        assert count(daemon.db) == ROWS
        return took
    finally:
        daemon.close()


def bulk_import(folder, file):
    """Seconds for sqlite3 to make a database of the file."""
    db = folder / 'import.db'
    begun = time.monotonic()
    subprocess.run(['sqlite3', db], input=IMPORT.format(file=file), text=True, check=True)
    took = time.monotonic() - begun
    assert count(db) == ROWS
    db.unlink()
    return took


def rounds(daemon, service, folder):
    seen = {'post': [], 'reference': [], 'bulk': [], 'import': []}
    answered = {daemon: 0, service: 0}
    file = folder / 'runs.csv'
    body = runs.csv(STUDY, ROWS)
    file.write_bytes(body)
    for number in range(bench.ROUNDS):
        for target, name in ((daemon, 'post'), (service, 'reference')):
            done = load.run(target.url, CONNECTIONS, SECONDS, 'post', f'round{number}')
            seen[name].append(done.rate)
            answered[target] += done.requests
        seen['bulk'].append(bulk_post(body))
        seen['import'].append(bulk_import(folder, file))
    return seen, answered


def main():
    with bench.scratch() as folder:
        reference_db = folder / 'reference.db'
        daemon = Daemon('--log-level', 'warn')
        try:
            service = reference.Reference(free_port(), reference_db, folder / 'log')
            try:
                seen, answered = rounds(daemon, service, folder)
            finally:
                service.close()
            assert daemon.stop() == 0
            assert count(daemon.db) >= answered[daemon], 'acknowledged runs are missing'
            assert count(reference_db) >= answered[service], 'acknowledged runs are missing'
        finally:
            daemon.close()

    bench.remark(f'posts a second: moeplan {bench.spread(seen["post"])}, '
                 f'reference {bench.spread(seen["reference"])}')
    bench.remark(f'{ROWS} rows, seconds: moeplan {bench.spread(seen["bulk"])}, '
                 f'.import {bench.spread(seen["import"])}')
    bench.row(f'durable POST of one run, c={CONNECTIONS}', 'FastAPI + sqlite3, a commit a request',
              bench.median_ratio(seen['post'], seen['reference']), '>= 13')
    bench.row(f'POST of {ROWS} runs as CSV, validated', 'sqlite3 .import of the same file and keys',
              bench.median_ratio(seen['import'], seen['bulk']), '>= 1.0')


if __name__ == '__main__':
    main()
