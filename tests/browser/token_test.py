#!/usr/bin/python3
"""The page of a service that asks for a token even to read."""
import os
import pathlib
import tempfile

import browser
import tap
from daemon import Daemon
from selenium.webdriver.common.keys import Keys

TOKEN = 'a-token-to-read-with-0123456789'

folder = tempfile.TemporaryDirectory(prefix='moeplan-tokens-')
tokens = pathlib.Path(folder.name, 'tokens')
tokens.write_text(f'read {TOKEN}\n')
os.chmod(tokens, 0o600)
# The health of the daemon is not guarded, so it can be seen to start.
daemon = Daemon('--token-file', str(tokens), '--auth-reads')
page = browser.Page(daemon.url)


@tap.test
def without_a_token_the_page_asks_for_one_and_shows_nothing():
    page.open('fit=joint-2025&compute=1e22&memory=80GB')
    assert page.find('#token').is_displayed()
    assert page.shown('problem') and not page.shown('summary')


@tap.test
def a_wrong_token_is_refused_and_asked_for_again():
    page.find('#token').send_keys('not-the-token-at-all-0123456789', Keys.TAB)
    page.settle()
    assert page.find('#token').is_displayed() and not page.shown('summary')


@tap.test
def the_right_token_brings_the_answer_to_the_question_in_the_address():
    page.find('#token').send_keys(Keys.CONTROL, 'a')
    page.find('#token').send_keys(TOKEN, Keys.TAB)
    page.wait(lambda: page.shown('summary'))
    assert page.find('#memory').get_attribute('value') == '80GB'
    assert not page.shown('problem') and not page.find('#token').is_displayed()


@tap.test
def the_token_is_not_in_the_address():
    assert TOKEN not in page.driver.current_url
    assert TOKEN not in page.text('#curl')


def the_browser_and_the_daemon_end_cleanly():
    page.close()
    folder.cleanup()
    daemon.close()


tap.main(the_browser_and_the_daemon_end_cleanly)
