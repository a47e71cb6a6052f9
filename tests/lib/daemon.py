"""daemon: a moeplan of one's own, on a free loopback port with a fresh database.

MOEPLAN_BIN names the binary (default build/moeplan). Nothing of it outlives the test: `close` ends
it as an operator would and complains when it does not end well or when a sanitizer spoke.
"""
import http.client
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.parse

ROOT = pathlib.Path(__file__).resolve().parents[2]
SAMPLE = ROOT / 'examples/marin-moe.csv'
START_S = 60
STOP_S = 60


def binary():
    return os.environ.get('MOEPLAN_BIN', str(ROOT / 'build/moeplan'))


def free_port():
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


class Answer:
    """What came back: status, headers (names in lower case), body; .json reads it."""

    def __init__(self, response):
        self.status = response.status
        self.headers = {name.lower(): value for name, value in response.getheaders()}
        self.body = response.read()

    @property
    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f'<{self.status} {self.body[:300]!r}>'


class Daemon:
    def __init__(self, *options, db=None, env=None):
        self.dir = tempfile.mkdtemp(prefix='moeplan-test-')
        self.db = db or os.path.join(self.dir, 'test.db')
        self.options = list(options)
        self.env = {**os.environ, **(env or {})}
        self.log_path = os.path.join(self.dir, 'log')
        self.process = None
        self.start()

    @property
    def url(self):
        return f'http://127.0.0.1:{self.port}'

    def log(self):
        return pathlib.Path(self.log_path).read_text(errors='replace')

    def start(self):
        self.port = free_port()
        with open(self.log_path, 'ab') as log:
            self.process = subprocess.Popen(
                [binary(), 'serve', '--listen', f'127.0.0.1:{self.port}', '--db', self.db,
                 *self.options], stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self.env)
        deadline = time.monotonic() + START_S
        while True:
            try:
                if self.request('GET', '/readyz').status == 200:
                    return
            except OSError:
                pass
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.process.kill()
                self.process.wait()
                raise AssertionError('moeplan did not come up:\n' + self.log()[-3000:])
            time.sleep(0.02)

    def request(self, method, path, body=None, headers=None, timeout=60):
        """One request on a connection of its own. A body that is not bytes is sent as JSON."""
        headers = dict(headers or {})
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
            headers.setdefault('Content-Type', 'application/json')
        connection = http.client.HTTPConnection('127.0.0.1', self.port, timeout=timeout)
        try:
            connection.request(method, path, body, headers)
            return Answer(connection.getresponse())
        finally:
            connection.close()

    def get(self, path, query=None, **more):
        if query:
            path += '?' + urllib.parse.urlencode(query)
        return self.request('GET', path, **more)

    def post(self, path, body, **more):
        return self.request('POST', path, body, **more)

    def load_sample(self, study='marin-moe'):
        """The sample study, with its 64 runs."""
        made = self.request('PUT', f'/v1/studies/{study}', {'description': 'sample'})
        assert made.status in (200, 201), made
        posted = self.request('POST', f'/v1/experiments?study={study}', SAMPLE.read_bytes(),
                              {'Content-Type': 'text/csv'})
        assert posted.status == 201, posted

    def kill(self):
        """As a power cut would; start() brings it back on the same database."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self):
        """SIGTERM, and the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(STOP_S)

    def close(self):
        try:
            status = self.stop()
            log = self.log()
            for word in ('Sanitizer', 'runtime error:'):
                assert word not in log, log[max(0, log.index(word) - 200):][:6000]
            assert status == 0, f'exit status {status}:\n{log[-3000:]}'
        finally:
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()
            shutil.rmtree(self.dir, ignore_errors=True)
