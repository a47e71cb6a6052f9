"""reference: reference_service.py as a running process, on a free loopback port."""
import http.client
import os
import pathlib
import signal
import subprocess
import time

PYTHON = '/usr/bin/python3'
HERE = pathlib.Path(__file__).resolve().parent
START_S = 60
STOP_S = 20


class Reference:
    def __init__(self, port, db, log, processes=1):
        self.port = port
        self.url = f'http://127.0.0.1:{port}'
        command = [PYTHON, '-m', 'uvicorn', '--app-dir', str(HERE), '--port', str(port),
                   '--no-access-log', '--log-level', 'warning', '--workers', str(processes),
                   'reference_service:app']
        with open(log, 'ab') as out:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                env={**os.environ, 'REFERENCE_DB': str(db)})
        deadline = time.monotonic() + START_S
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.close()
                raise RuntimeError('the reference service did not come up:\n' +
                                   pathlib.Path(log).read_text(errors='replace')[-3000:])
            time.sleep(0.05)

    def _answers(self):
        connection = http.client.HTTPConnection('127.0.0.1', self.port, timeout=5)
        try:
            connection.request('GET', '/openapi.json')
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()

    def close(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
