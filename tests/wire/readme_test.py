#!/usr/bin/python3
"""Every command README.md shows, run as printed; what is printed behind it is what comes, … being
anything."""
import json
import os
import pathlib
import re
import subprocess
import tempfile

from checked import Daemon
import tap

ROOT = pathlib.Path(__file__).resolve().parents[2]
CONFIG = {'model_type': 'llama', 'vocab_size': 128256, 'hidden_size': 4096,
          'intermediate_size': 14336, 'num_hidden_layers': 32, 'num_attention_heads': 32,
          'num_key_value_heads': 8}  # of a user's own
NOT_HERE = ('make run', 'docker build')

daemon = Daemon()
daemon.load_sample()  # as `make run` leaves it
assert daemon.post('/v1/fits', {'study': 'marin-moe', 'law': 'joint'}).status == 201
place = tempfile.TemporaryDirectory()
os.symlink(ROOT / 'examples', pathlib.Path(place.name) / 'examples')
(pathlib.Path(place.name) / 'config.json').write_text(json.dumps(CONFIG))


def blocks(kind):
    text = (ROOT / 'README.md').read_text()
    found = re.findall(rf'^```{kind}\n(.*?)^```$', text, re.DOTALL | re.MULTILINE)
    return [block for block in found if not any(word in block for word in NOT_HERE)]


def run(command):
    done = subprocess.run(
        ['bash', '-c', command.replace('http://127.0.0.1:8080', daemon.url)], cwd=place.name,
        capture_output=True, text=True, timeout=120)
    assert done.returncode == 0 and done.stderr == '', (command, done)
    return done.stdout


def consoles():
    """(command, the output shown) of each `$ ` line."""
    for block in blocks('console'):
        for part in re.split(r'^\$ ', block, flags=re.MULTILINE)[1:]:
            command, _, shown = part.partition('\n')
            yield command, shown.strip()


@tap.test
def what_is_shown_is_what_comes():
    shown = list(consoles())
    assert len(shown) >= 7, shown
    for command, output in shown:
        pattern = '.*?'.join(re.escape(piece) for piece in re.split(r' ?… ?', output))
        came = run(command).strip()
        assert re.fullmatch(pattern, came, re.DOTALL), f'{command}\n{came[:3000]}\n{output}'


@tap.test
def commands_without_output_are_answered_too():
    commands = [line for block in blocks('sh')
                for line in block.replace('\\\n', '').splitlines() if line.startswith('curl')]
    assert len(commands) >= 14, commands
    for command in commands:
        command = re.sub(r' +# .*$', '', command)
        came = run(f'{command} -w "\\n%{{http_code}}"')
        assert came.rsplit('\n', 1)[1][0] == '2', f'{command}\n{came[:2000]}'


def close():
    daemon.close()
    place.cleanup()


tap.main(close)
