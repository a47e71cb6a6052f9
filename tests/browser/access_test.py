#!/usr/bin/python3
"""The page for people without a mouse, without good eyes, or with a small screen."""
import browser
import tap
from daemon import Daemon
from selenium.webdriver.common.keys import Keys

FRAGMENT = 'fit=joint-2025&compute=1e22&memory=80GB'
CONTRAST_TEXT = 4.5  # WCAG 2.2, 1.4.3
STOPS_MAX = 80

# Texts below the wanted contrast: [words, ratio]. Colours of any notation are read by painting them.
LOW_CONTRAST = """
const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
const rgb = (colour) => {
  canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
  return [...canvas.getImageData(0, 0, 1, 1).data];
};
const light = ([r, g, b]) => [r, g, b].map((v) => v / 255)
  .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
  .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
const ground = (element) => {
  for (let e = element; e; e = e.parentElement) {
    const colour = rgb(getComputedStyle(e).backgroundColor);
    if (colour[3] === 255) return colour;
  }
  return [255, 255, 255, 255];
};
const low = [];
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
  const element = walker.currentNode.parentElement;
  if (!walker.currentNode.textContent.trim() || !element.checkVisibility() || element.closest('.skip')) continue;
  const style = getComputedStyle(element);
  const [a, b] = [light(rgb(element instanceof SVGElement ? style.fill : style.color)), light(ground(element))];
  const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  if (ratio < arguments[0]) low.push([walker.currentNode.textContent.trim().slice(0, 40), ratio]);
}
return low;
"""

daemon = Daemon()
page = browser.Page(daemon.url)
page.open(FRAGMENT)


def nodes():
    """The accessibility tree: (role, name) of what a screen reader meets."""
    tree = page.cdp('Accessibility.getFullAXTree')['nodes']
    return [(node['role']['value'], node.get('name', {}).get('value', '')) for node in tree
            if not node['ignored']]


@tap.test
def every_control_has_a_name():
    controls = [(role, name) for role, name in nodes()
                if role in ('textbox', 'combobox', 'button', 'checkbox', 'link', 'application')]
    assert len(controls) > 15, controls
    assert [role for role, name in controls if not name.strip()] == []


@tap.test
def every_field_names_its_help_and_its_error():
    for field in page.all('#question .field input:not(#token), #question select'):
        name = field.get_attribute('id')
        described = (field.get_attribute('aria-describedby') or '').split()
        assert described == [f'{name}-help', f'{name}-error'], (name, described)
        assert all(page.find(f'#{one}') for one in described)


@tap.test
def headings_have_one_first_level_and_skip_none():
    levels = page.js('return [...document.querySelectorAll("h1,h2,h3,h4")]'
                     '.filter((h) => h.checkVisibility()).map((h) => Number(h.tagName[1]))')
    assert levels.count(1) == 1 and levels[0] == 1, levels
    assert all(b <= a + 1 for a, b in zip(levels, levels[1:])), levels


@tap.test
def every_table_has_a_caption_and_headers_with_a_scope():
    page.find('#plot-table summary').click()
    page.wait(lambda: page.all('#plot-table tbody tr'))
    tables = page.all('table')
    assert len(tables) >= 3
    for table in tables:
        assert table.find_elements('css selector', 'caption')
        assert all(th.get_attribute('scope') for th in table.find_elements('css selector', 'th'))


@tap.test
def ids_are_unique_and_the_language_is_named():
    ids = page.js('return [...document.querySelectorAll("[id]")].map((e) => e.id)')
    assert len(ids) == len(set(ids)), [name for name in ids if ids.count(name) > 1]
    assert page.find('html').get_attribute('lang') == 'en'


@tap.test
def changes_are_announced():
    assert page.find('#summary').get_attribute('aria-live') == 'polite'
    assert page.find('#problem').get_attribute('role') == 'alert'


@tap.test
def the_keyboard_reaches_everything_in_the_order_it_is_read():
    page.open(FRAGMENT)
    stops = []
    for _ in range(STOPS_MAX):
        page.press(Keys.TAB)
        stops.append(page.focused())
        if stops[-1] in stops[:-1] and page.js('return document.activeElement === document.body'):
            break
    wanted = ['skip', 'fit', 'compute', 'memory', 'kv_tokens', 'x', 'x-log', 'y-log', 'save-svg',
              'save-curve', 'plot', 'save-candidates', 'candidates']
    places = [stops.index(name) for name in wanted if name in stops]
    assert len(places) == len(wanted), (set(wanted) - set(stops), stops)
    assert places == sorted(places), stops


@tap.test
def focus_can_be_seen():
    page.open(FRAGMENT)
    page.press(Keys.TAB, Keys.TAB)
    seen = page.js('const s = getComputedStyle(document.activeElement);'
                   'return s.outlineStyle !== "none" && parseFloat(s.outlineWidth) >= 2')
    assert seen, page.focused()


@tap.test
def text_stands_out_on_light_and_on_dark():
    for scheme in ('light', 'dark'):
        page.cdp('Emulation.setEmulatedMedia', features=[{'name': 'prefers-color-scheme', 'value': scheme}])
        page.open(FRAGMENT)
        page.type('kv_tokens', 'many')
        low = page.js(LOW_CONTRAST, CONTRAST_TEXT)
        page.type('kv_tokens', '')
        low += page.js(LOW_CONTRAST, CONTRAST_TEXT)
        assert low == [], (scheme, low)


@tap.test
def a_small_screen_needs_no_scrolling_sideways():
    page.cdp('Emulation.setDeviceMetricsOverride', width=360, height=740, deviceScaleFactor=1, mobile=True)
    page.open(FRAGMENT)
    width = page.js('return document.documentElement.scrollWidth')
    page.cdp('Emulation.clearDeviceMetricsOverride')
    assert width <= 360, width


def the_browser_and_the_daemon_end_cleanly():
    page.close()
    daemon.close()


tap.main(the_browser_and_the_daemon_end_cleanly)
