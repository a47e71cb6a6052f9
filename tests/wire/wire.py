"""wire: raw sockets, for what no HTTP library would send."""
import pathlib
import socket
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'lib'))

RUN = {'n_active': 1e8, 'tokens': 1e10, 'loss': 3.0}


class Reply:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def __repr__(self):
        return f'<{self.status} {self.headers} {self.body[:200]!r}>'


class Wire:
    """One connection. What arrives beyond a reply waits for the next read."""

    def __init__(self, daemon, timeout=20):
        self.socket = socket.create_connection(('127.0.0.1', daemon.port), timeout=timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.host = f'127.0.0.1:{daemon.port}'
        self.buffer = b''

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def ask(self, method, path, *headers, body=b''):
        """A well-formed request, plus headers as they are given."""
        lines = [f'{method} {path} HTTP/1.1', f'Host: {self.host}', *headers]
        if body:
            lines.append(f'Content-Length: {len(body)}')
        self.send('\r\n'.join(lines).encode('latin-1') + b'\r\n\r\n' + body)
        return self.reply(head=method == 'HEAD')

    def more(self):
        data = self.socket.recv(65536)
        self.buffer += data
        return bool(data)

    def take(self, count):
        while len(self.buffer) < count:
            if not self.more():
                raise EOFError(f'the connection ended after {self.buffer[:200]!r}')
        data, self.buffer = self.buffer[:count], self.buffer[count:]
        return data

    def line(self):
        while b'\r\n' not in self.buffer:
            if not self.more():
                raise EOFError(f'the connection ended after {self.buffer[:200]!r}')
        line, self.buffer = self.buffer.split(b'\r\n', 1)
        return line

    def reply(self, head=False):
        status = int(self.line().split(b' ')[1])
        headers = {}
        while line := self.line():
            name, value = line.decode('latin-1').split(':', 1)
            headers[name.lower()] = value.strip()
        body = b''
        if head or status in (204, 304) or status < 200:
            pass
        elif headers.get('transfer-encoding') == 'chunked':
            while size := int(self.line(), 16):
                body += self.take(size)
                assert self.line() == b''
            assert self.line() == b''
        else:
            body = self.take(int(headers['content-length']))
        return Reply(status, headers, body)

    def ended(self):
        """Whether the other side has closed: reads what is left."""
        try:
            while self.more():
                pass
            return True
        except ConnectionError:
            return True
        except socket.timeout:
            return False


def refused(daemon, data, statuses):
    """Sends bytes on a fresh connection: a reply with one of the statuses, or None when closed."""
    with Wire(daemon) as wire:
        wire.send(data)
        try:
            reply = wire.reply()
        except (EOFError, ConnectionError):
            return None
        assert reply.status in statuses, reply
        return reply
