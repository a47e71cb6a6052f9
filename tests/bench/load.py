"""load: requests of wrk against a service on loopback, and what came of them."""
import dataclasses
import json
import pathlib
import subprocess

SCRIPT = pathlib.Path(__file__).with_name('load.lua')


@dataclasses.dataclass
class Load:
    requests: int
    duration_us: int
    failed: int
    p50_us: int
    p99_us: int

    @property
    def rate(self):
        """Requests a second."""
        return self.requests * 1e6 / self.duration_us


def run(url, connections, seconds, kind, argument):
    """kind and argument: `get PATH` or `post PREFIX` of load.lua. Every request must succeed."""
    done = subprocess.run(
        ['wrk', '-t1', f'-c{connections}', f'-d{seconds}s', '--timeout', '30s', '-s', str(SCRIPT),
         url, '--', kind, argument],
        capture_output=True, text=True, timeout=seconds + 60)
    if done.returncode != 0:
        raise RuntimeError(f'wrk: {done.stdout}{done.stderr}')
    load = Load(**json.loads(done.stdout.splitlines()[-1]))
    if load.failed or not load.requests:
        raise RuntimeError(f'{kind} {argument}: {load}')
    return load
