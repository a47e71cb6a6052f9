"""clang-format, clang-tidy, cppcheck and the project's own rules of direction, in one run.

The own rules, from top to bottom: who may include what (core computes, db remembers, server
translates; each library has one home), functions nobody calls, SQL in two files only. Prints one
line per finding and ends with how many there were.
"""
import argparse
import collections
import concurrent.futures
import functools
import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
LAYERS = {'core': {'core'}, 'db': {'core', 'db'}, 'server': {'core', 'db', 'server'},
          'tests': {'core', 'db', 'server', 'tests'}}
# Header -> beginnings of the paths that may include it; tests may include what they test against.
HOMES = {
    'cjson/cJSON.h': ('server/json.c',),
    'microhttpd.h': ('server/http',),
    'sqlite3.h': ('db/',),
    'gsl/gsl_errno.h': ('core/', 'server/cmd_serve.c'),  # its handler, which aborts, is switched off
    'gsl/': ('core/',),
    'nettle/': ('db/', 'server/'),
    'zlib.h': ('server/',),
}
# core is pure: nothing of these may be seen there.
CORE_NEVER = re.compile(r'<(pthread|unistd|fcntl|time|sys/\w+|signal|dirent|netdb|locale)\.h>')
BANNED = re.compile(r'\b(strcpy|strcat|sprintf|vsprintf|strtok|atoi|atol|atof|gets|setlocale|system|'
                    r'popen|tmpnam|mktemp|rand|srand|alloca)\s*\(')
SQL = re.compile(r'"\s*(SELECT|INSERT INTO|INSERT OR|UPDATE \w+ SET|DELETE FROM|CREATE (TABLE|INDEX|'
                 r'VIEW|TRIGGER)|ALTER TABLE|DROP TABLE|PRAGMA)\b')
SQL_HOMES = {'db/schema.c', 'db/stmt.def'}
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.MULTILINE)
# Texts and characters, which may hold the beginning of a comment, and comments.
CODE = re.compile(r'"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])+\'|/\*.*?\*/|//[^\n]*', re.DOTALL)
FUNCTION = re.compile(r'^(?!static\b|LANES_INLINE\b)\w[\w *]*?\b(\w+)\([^;{}]*\)\n\{', re.MULTILINE)
WORD = re.compile(r'\b[A-Za-z_]\w*\b')
TIDY_FLAGS = ['-std=c17', '-D_GNU_SOURCE', '-I.']
HINTS = 'tests/lint.h'  # for analysers, before every file but the one that defines what it wraps


def sources(*suffixes):
    listed = subprocess.run(['git', 'ls-files', '--cached', '--others', '--exclude-standard'],
                            cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    return [path for path in listed if path.endswith(suffixes) and (ROOT / path).exists()]


def code_only(text):
    """The text with comments blanked, line numbers kept."""
    blank = lambda match: match[0] if match[0][0] in '"\'' else re.sub(r'[^\n]', ' ', match[0])
    return CODE.sub(blank, text)


def line_of(text, position):
    return text.count('\n', 0, position) + 1


def home_of(path, header):
    """True when the header has no fixed home, or path is in it."""
    for prefix, homes in HOMES.items():
        if header.startswith(prefix):
            return path.startswith((*homes, 'tests/'))
    return True


@functools.lru_cache(maxsize=1)
def uses():
    """How often each word stands in the code."""
    return collections.Counter(word for path in sources('.c', '.h', '.def')
                               for word in WORD.findall(code_only((ROOT / path).read_text())))


def is_called(function):
    """Whether it stands anywhere but where it is declared and defined."""
    return function == 'main' or uses()[function] > 2


def own_rules(path):
    text = code_only((ROOT / path).read_text())
    layer = path.split('/')[0]
    found = []
    for match in INCLUDE.finditer(text):
        header = match[2]
        where = f'{path}:{line_of(text, match.start())}'
        other = header.split('/')[0] if match[1] == '"' else None
        if other in LAYERS and other not in LAYERS.get(layer, set(LAYERS)):
            found.append(f'{where}: {layer} must not include {header}')
        if not home_of(path, header):
            found.append(f'{where}: {header} belongs elsewhere')
        if layer == 'core' and CORE_NEVER.match(f'<{header}>'):
            found.append(f'{where}: core does no I/O, clock or threads ({header})')
    if layer != 'tests':
        found += [f'{path}:{line_of(text, m.start())}: {m[1]} is banned' for m in BANNED.finditer(text)]
        found += [f'{path}:{line_of(text, m.start(1))}: nobody calls {m[1]}'
                  for m in FUNCTION.finditer(text) if not is_called(m[1])]
        if path not in SQL_HOMES:
            found += [f'{path}:{line_of(text, m.start())}: SQL belongs in db/stmt.def or db/schema.c'
                      for m in SQL.finditer(text)]
    return found


def tool(*command):
    """The tool's lines where it is not content, and a line when it is missing."""
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    except FileNotFoundError:
        return [f'{command[0]} is not installed: make setup']
    if done.returncode == 0:
        return []
    lines = (done.stdout + done.stderr).splitlines()
    return [line for line in lines if line.strip() and not line.endswith('warnings generated.')] or \
        [f'{command[0]} ended with status {done.returncode}']


def cppcheck(path):
    hints = [] if path == 'core/err.c' else [f'--include={HINTS}']
    return tool('cppcheck', '--quiet', '--std=c11', '--error-exitcode=1', '--inline-suppr',
                '--enable=warning,performance,portability', '--suppressions-list=.cppcheck', '-I.',
                '-D_GNU_SOURCE', *hints, path)


def tidy(path):
    hints = [] if path == 'core/err.c' else ['-include', HINTS]
    return tool('clang-tidy', '--quiet', path, '--', *TIDY_FLAGS, *hints)


def check(name, jobs, work, items):
    """Runs work(item) for each item, jobs at a time, and prints what it finds."""
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        found = [line for lines in pool.map(work, items) for line in lines]
    for line in found:
        print(line)
    print(f'{name}: {len(found)} lines of findings in {len(items)} files', flush=True)
    return len(found)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--jobs', type=int, default=os.cpu_count())
    parser.add_argument('--only', choices=['rules', 'format', 'cppcheck', 'tidy'], action='append',
                        help='may be given more than once')
    parser.add_argument('paths', nargs='*', help='files to look at; all when none')
    options = parser.parse_args()

    both = options.paths or sources('.c', '.h')
    units = [path for path in both if path.endswith('.c')]
    shipped = [path for path in units if not path.startswith('tests/')]
    sql = [] if options.paths else sources('stmt.def')
    checks = {
        'rules': (own_rules, both + sql),
        'format': (lambda path: tool('clang-format', '--dry-run', '-Werror', path), both),
        'cppcheck': (cppcheck, shipped),
        'tidy': (tidy, shipped),
    }
    total = sum(check(name, options.jobs, work, items) for name, (work, items) in checks.items()
                if not options.only or name in options.only)
    print('lint: clean' if total == 0 else f'lint: {total} findings')
    return 1 if total else 0


if __name__ == '__main__':
    sys.exit(main())
