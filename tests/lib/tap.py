"""tap: tests as functions, told in the Test Anything Protocol.

    @tap.test
    def a_plan_is_shown():
        assert …

    tap.main()

Tests run in the order they stand in. An assertion or any other exception fails the test and is
printed; tap.Skip leaves it out with its reason.
"""
import sys
import traceback

_tests = []


class Skip(Exception):
    """Raised by a test that cannot be made here; the text is the reason."""


def test(function):
    _tests.append(function)
    return function


def _tell(text):
    for line in text.rstrip().splitlines():
        print(f'# {line}')


def main(close=None):
    """Runs every test, then close(), and exits with 1 when one failed."""
    failed = False
    print(f'1..{len(_tests) + (close is not None)}', flush=True)
    for number, function in enumerate(_tests + ([close] if close else []), start=1):
        name = function.__name__.replace('_', ' ')
        try:
            function()
            print(f'ok {number} - {name}', flush=True)
        except Skip as reason:
            print(f'ok {number} - {name} # SKIP {reason}', flush=True)
        except Exception:
            failed = True
            print(f'not ok {number} - {name}')
            _tell(traceback.format_exc())
            sys.stdout.flush()
    sys.exit(1 if failed else 0)
