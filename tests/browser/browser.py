"""browser: headless Chromium on the page of one daemon, driven as a person would.

Whatever is asked of a name outside 127.0.0.1 fails to resolve, so an answer that needs the network
cannot pass for one that does not.
"""
import json
import os
import pathlib
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'lib'))

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

CHROMIUM, DRIVER = '/usr/bin/chromium', '/usr/bin/chromedriver'
WAIT_S = 30
ARGUMENTS = ('--headless=new', '--no-sandbox', '--disable-dev-shm-usage', '--disable-gpu',
             '--disable-background-networking', '--disable-component-update', '--no-first-run',
             '--window-size=1280,1000',
             '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1')


class Page:
    def __init__(self, url):
        self.url = url
        self.downloads = tempfile.TemporaryDirectory(prefix='moeplan-downloads-')
        options = webdriver.ChromeOptions()
        options.binary_location = CHROMIUM
        for argument in ARGUMENTS:
            options.add_argument(argument)
        options.set_capability('goog:loggingPrefs', {'browser': 'ALL', 'performance': 'ALL'})
        self.driver = webdriver.Chrome(service=Service(DRIVER), options=options)
        self.cdp('Browser.setDownloadBehavior', behavior='allow', downloadPath=self.downloads.name)

    def close(self):
        self.driver.quit()
        self.downloads.cleanup()

    def cdp(self, method, **parameters):
        return self.driver.execute_cdp_cmd(method, parameters)

    def js(self, script, *arguments):
        return self.driver.execute_script(script, *arguments)

    def open(self, fragment=''):
        """A fresh load of the page with this question; waits for the answer."""
        self.driver.get('about:blank')
        self.driver.get(f'{self.url}/#{fragment}')
        self.settle()

    def settle(self):
        """Waits until the page has answered what it was asked."""
        self.wait(lambda: self.js('return document.readyState') == 'complete' and
                  (self.shown('summary') or self.shown('problem')))
        time.sleep(0.35)  # the page waits 0.25 s after the last key before it asks
        self.wait(lambda: self.js('return document.body.getAttribute("aria-busy")') is None)

    def wait(self, condition):
        deadline = time.monotonic() + WAIT_S
        while not condition():
            assert time.monotonic() < deadline, 'the page did not get there in time:\n' + self.text('body')
            time.sleep(0.03)

    def find(self, css):
        return self.driver.find_element(By.CSS_SELECTOR, css)

    def all(self, css):
        return self.driver.find_elements(By.CSS_SELECTOR, css)

    def text(self, css):
        return self.find(css).text

    def shown(self, name):
        return self.js('const e = document.getElementById(arguments[0]);'
                       'return !e.hidden && e.textContent.trim() !== ""', name)

    def type(self, name, value):
        """Replaces what stands in a field, key by key, and waits for the answer."""
        field = self.find(f'#{name}')
        field.send_keys(Keys.CONTROL, 'a')
        field.send_keys(value or Keys.DELETE)
        self.settle()

    def choose(self, name, words):
        """Picks the option that begins with these words, or that a key leads to; waits for nothing."""
        self.find(f'#{name}').send_keys(words)

    def press(self, *keys):
        self.driver.switch_to.active_element.send_keys(*keys)

    def focused(self):
        return self.js('return document.activeElement.id || document.activeElement.getAttribute("class")'
                       ' || document.activeElement.textContent')

    def console(self):
        """What was said on the console since the last call."""
        return [entry['message'] for entry in self.driver.get_log('browser')]

    def requests(self):
        """URLs asked for since the last call."""
        events = (json.loads(entry['message'])['message'] for entry in self.driver.get_log('performance'))
        return [event['params']['request']['url'] for event in events
                if event['method'] == 'Network.requestWillBeSent']

    def downloaded(self, name):
        """The text of a file the page saved."""
        path = os.path.join(self.downloads.name, name)
        self.wait(lambda: os.path.exists(path))
        return pathlib.Path(path).read_text()
