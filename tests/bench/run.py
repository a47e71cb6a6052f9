"""Runs every benchmark, one after the other, and prints their ratios as a table.

A benchmark is a script with a `#!` line in tests/bench or a program built from tests/bench/*.c into
$MOEPLAN_BUILD/bench. It prints one JSON object a line, {"what", "against", "ratio", "goal"}: ratio a
number, goal a text such as ">= 0.75" or null; other lines are its own remarks. Ratios are the medians
of at least five interleaved rounds: absolute times vary by half from minute to minute.
"""
import argparse
import json
import operator
import os
import pathlib
import platform
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PYTHON = '/usr/bin/python3'
LIMIT_S = 1800
COMPARE = {'>=': operator.ge, '<=': operator.le}


def machine():
    names = [line.split(':', 1)[1].strip() for line in open('/proc/cpuinfo')
             if line.startswith('model name')]
    return f'{len(names)} × {names[0] if names else platform.machine()}, Linux {platform.release()}'


def programs(build):
    scripts = [p for p in sorted(HERE.glob('*.py')) if p.read_bytes().startswith(b'#!')]
    built = [p for p in sorted((build / 'bench').glob('*')) if os.access(p, os.X_OK) and p.is_file()]
    return [(p.stem, [PYTHON, str(p)]) for p in scripts] + [(p.name, [str(p)]) for p in built]


def holds(ratio, goal):
    relation, bound = goal.split()
    return COMPARE[relation](ratio, float(bound))


def run(name, command, env):
    """The rows a benchmark printed; its remarks go to stderr. None when it failed."""
    print(f'bench: {name} …', file=sys.stderr, flush=True)
    done = subprocess.run(command, cwd=ROOT, env=env, stdin=subprocess.DEVNULL, text=True,
                          stdout=subprocess.PIPE, timeout=LIMIT_S)
    rows = []
    for line in done.stdout.splitlines():
        if line.startswith('{'):
            rows.append(json.loads(line))
        elif line.strip():
            print(f'  {line}', file=sys.stderr)
    if done.returncode != 0:
        print(f'bench: {name} ended with status {done.returncode}', file=sys.stderr)
        return None
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--build', default=str(ROOT / 'build'))
    parser.add_argument('only', nargs='*', help='run the benchmarks whose name contains one of these')
    options = parser.parse_args()
    build = pathlib.Path(options.build).resolve()
    env = {**os.environ, 'MOEPLAN_BIN': str(build / 'moeplan'), 'MOEPLAN_BUILD': str(build)}

    chosen = [(name, command) for name, command in programs(build)
              if not options.only or any(word in name for word in options.only)]
    results = [run(name, command, env) for name, command in chosen]
    print(f'On {machine()}:\n')
    print('| what | against | ratio | goal |')
    print('|---|---|---|---|')
    missed = 0
    for row in (row for rows in results for row in rows or []):
        goal = row.get('goal')
        kept = goal is None or holds(row['ratio'], goal)
        missed += not kept
        print(f'| {row["what"]} | {row["against"]} | {row["ratio"]:.3g} | '
              f'{goal or "–"}{"" if kept else " (missed)"} |')
    print(f'\n{missed} goals missed, {results.count(None)} benchmarks failed')
    return 1 if None in results else 0


if __name__ == '__main__':
    sys.exit(main())
