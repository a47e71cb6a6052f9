#!/usr/bin/python3
"""The page, as people use it: what is asked, what is shown, what goes wrong, what is kept."""
import time
import xml.etree.ElementTree

import browser
import tap
from daemon import Daemon
from selenium.webdriver.common.keys import Keys

QUESTION = {'fit': 'joint-2025', 'compute': '1e22', 'memory': '80GB'}
FRAGMENT = 'fit=joint-2025&compute=1e22&memory=80GB'
LABEL = '<img src=x onerror="document.title=1">'

daemon = Daemon()
daemon.load_sample()
fitted = daemon.post('/v1/fits', {'study': 'marin-moe', 'law': 'joint', 'label': LABEL})
assert fitted.status == 201, fitted
page = browser.Page(daemon.url)


def plan(**question):
    answer = daemon.get('/v1/plan', {**QUESTION, **question})
    assert answer.status == 200, answer
    return answer.json


def count(value):
    """13243756021 as the page writes it: 13.2B."""
    for size, name in ((1e12, 'T'), (1e9, 'B'), (1e6, 'M'), (1e3, 'K')):
        if value >= size * 0.9995:
            return f'{float(f"{value / size:.3g}"):#.3g}'.rstrip('.') + name
    return f'{value:#.3g}'.rstrip('.')


def rows():
    return [[cell.text for cell in row.find_elements('css selector', 'th, td')]
            for row in page.all('#candidates tbody tr')]


@tap.test
def the_page_loads_without_a_word_on_the_console():
    page.open()
    assert page.console() == []


@tap.test
def no_script_or_style_but_its_own_may_run():
    policy = daemon.get('/').headers['content-security-policy']
    assert "default-src 'self'" in policy and 'unsafe' not in policy, policy


@tap.test
def it_asks_nobody_but_this_service():
    page.requests()
    page.open(FRAGMENT)
    asked = page.requests()
    assert any('/v1/plan?' in url for url in asked), asked
    assert [url for url in asked if not url.startswith((daemon.url + '/', 'about:', 'data:'))] == []


@tap.test
def without_an_address_the_study_with_a_fit_of_its_own_is_asked():
    page.open()
    assert page.find('#fit').get_attribute('value') == 'study=marin-moe'
    assert '64 runs' in page.text('#fit-card')


@tap.test
def the_best_configuration_is_the_one_the_api_gives():
    page.open(FRAGMENT)
    best = plan()['optimum']
    shown = page.text('#summary')
    for words in (f'E = {best["experts"]:g}', count(best['n_active']), count(best['n_total']),
                  count(best['tokens']), f'{best["loss"]:.4f}'):
        assert words in shown, (words, shown)


@tap.test
def every_expansion_rate_has_its_row():
    page.open(FRAGMENT)
    candidates = plan()['candidates']
    assert len(rows()) == len(candidates)
    for row, candidate in zip(rows(), candidates):
        assert row[0] == f'{candidate["experts"]:g}', row
        if candidate['feasible']:
            assert row[2] == count(candidate['n_active']), row
            assert row[6] == f'{candidate["loss"]:.4f}', row


@tap.test
def the_plot_has_one_curve_for_each_expansion_rate_with_its_least_loss_marked():
    page.open(FRAGMENT)
    labels = [curve.get_attribute('data-label') for curve in page.all('#plot .series')]
    assert labels == [f'E {one["experts"]:g}' for one in plan()['candidates']], labels
    assert all(curve.find_elements('css selector', '.line') for curve in page.all('#plot .series'))
    assert len(page.all('#plot .mark:not(.strong)')) == len(labels)
    assert len(page.all('#plot .strong')) == 1


@tap.test
def the_plotted_points_stand_in_a_table_too():
    page.open(FRAGMENT)
    curve = daemon.get('/v1/curves/isoflop', QUESTION).json
    page.find('#plot-table summary').click()
    page.wait(lambda: page.all('#plot-table tbody tr'))
    assert len(page.all('#plot-table tbody tr')) == len(curve['columns']['n_active'])


@tap.test
def a_new_budget_changes_the_answer_and_the_address():
    page.open(FRAGMENT)
    before = page.text('#summary h2')
    page.type('compute', '1e20')
    assert page.text('#summary h2') != before
    assert count(plan(compute='1e20')['optimum']['tokens']) in page.text('#summary h2')
    assert 'compute=1e20' in page.driver.current_url


@tap.test
def a_button_sets_the_memory_it_names():
    page.open(FRAGMENT)
    page.find('[data-for="memory"] button[value="24GB"]').click()
    page.settle()
    assert page.find('#memory').get_attribute('value') == '24GB'
    assert f'{plan(memory="24GB")["optimum"]["loss"]:.4f}' in page.text('#summary')


@tap.test
def a_fit_described_late_does_not_stand_beside_the_answer_of_another():
    page.open(FRAGMENT)
    card = page.text('#fit-card')
    page.js('const fetch = window.fetch, slow = arguments[0];'
            'window.fetch = async (path, options) => {'
            '  if (path === slow) await new Promise((resolve) => setTimeout(resolve, 1000));'
            '  return fetch(path, options);'
            '};', f'v1/fits/{fitted.json["id"]}')
    page.choose('fit', f'marin-moe #{fitted.json["id"]}')
    page.wait(lambda: f'fit={fitted.json["id"]}&' in page.text('#curl code'))
    page.choose('fit', Keys.HOME)  # the study without a fit: joint-2025 again
    page.wait(lambda: 'study=default&' in page.text('#curl code'))
    time.sleep(1.2)
    assert page.text('#fit-card') == card


@tap.test
def a_shared_address_brings_the_question_back():
    page.open('fit=joint-2025&compute=3e21&memory=24GB&kv_tokens=16K&experts=1,4,16&x=n_total&scale=lin,log')
    values = {name: page.find(f'#{name}').get_attribute('value')
              for name in ('fit', 'compute', 'memory', 'kv_tokens', 'experts', 'x')}
    assert values == {'fit': 'fit=joint-2025', 'compute': '3e21', 'memory': '24GB', 'kv_tokens': '16K',
                      'experts': '1,4,16', 'x': 'n_total'}, values
    assert not page.find('#x-log').is_selected() and page.find('#y-log').is_selected()
    assert [row[0] for row in rows()] == ['1', '4', '16']


@tap.test
def the_command_shown_asks_the_same_question():
    page.open(FRAGMENT)
    url = page.text('#curl code').removeprefix("curl -s '").removesuffix("'")
    assert url.startswith(daemon.url + '/')
    assert daemon.get(url.removeprefix(daemon.url)).json['optimum'] == plan()['optimum']


@tap.test
def a_bad_budget_is_explained_beside_the_field_in_the_words_of_the_service():
    page.open(FRAGMENT)
    page.type('compute', 'a lot')
    answer = daemon.get('/v1/plan', {**QUESTION, 'compute': 'a lot'})
    assert answer.status == 400, answer
    assert page.text('#compute-error') == answer.json['errors'][0]['detail']
    assert page.find('#compute').get_attribute('aria-invalid') == 'true'
    assert not page.shown('summary') and not page.find('#candidates').is_displayed(), 'a stale answer'
    page.type('compute', '1e22')
    assert page.text('#compute-error') == '' and page.shown('summary')


@tap.test
def limits_that_nothing_keeps_are_said_plainly():
    page.open(FRAGMENT)
    page.type('memory', '1kB')
    answer = daemon.get('/v1/plan', {**QUESTION, 'memory': '1kB'})
    assert answer.status == 422, answer
    assert answer.json['detail'] in page.text('#problem')
    assert page.text('#memory-error') == answer.json['errors'][0]['detail']
    assert not page.shown('summary')


@tap.test
def an_expansion_rate_that_does_not_fit_keeps_its_row_and_says_why():
    page.open('fit=joint-2025&compute=1e22&memory=100MB&experts=1,64,4096')
    candidates = plan(memory='100MB', experts='1,64,4096')['candidates']
    assert [one['feasible'] for one in candidates][-1] is False, candidates
    assert 'does not fit' in rows()[-1][1] and 'serving memory' in rows()[-1][1], rows()


@tap.test
def a_fit_that_is_gone_is_said_so():
    page.open('fit=424242&compute=1e22')
    assert '424242' in page.text('#problem')
    assert not page.shown('summary')


@tap.test
def extrapolation_is_labelled():
    page.open(FRAGMENT)
    names = [one['variable'] for one in plan()['optimum']['extrapolates']]
    assert len(page.all('#summary .extrapolates')) == len(names) > 0


@tap.test
def markup_in_a_label_is_shown_as_text():
    page.open(f'fit={fitted.json["id"]}&compute=1e22')
    assert LABEL in page.text('#fit-card')
    assert page.driver.title == 'moeplan'


@tap.test
def both_axes_can_be_logarithmic_or_not():
    page.open(FRAGMENT)
    shapes = {page.find('#plot .line').get_attribute('d')}
    for name in ('x-log', 'y-log', 'x-log'):
        page.find(f'#{name}').click()
        shapes.add(page.find('#plot .line').get_attribute('d'))
    assert len(shapes) == 4, 'two settings of the axes drew the same curve'


@tap.test
def the_picture_is_saved_as_an_svg_that_stands_alone():
    page.open(FRAGMENT)
    page.find('#save-svg').click()
    root = xml.etree.ElementTree.fromstring(page.downloaded('moeplan-isoflop.svg'))
    curves = [path for path in root.iter('{http://www.w3.org/2000/svg}path') if path.get('stroke') != 'none']
    assert len(curves) >= len(plan()['candidates'])
    assert not any(element.get('class') or element.get('style') for element in root.iter())


@tap.test
def the_tables_are_saved_as_csv():
    page.open(FRAGMENT)
    page.find('#save-candidates').click()
    lines = page.downloaded('moeplan-candidates.csv').splitlines()
    assert lines[0].startswith('experts,granularity,feasible') and len(lines) == 1 + len(rows())
    link = page.find('#save-curve').get_attribute('href')
    answer = daemon.get(link.removeprefix(daemon.url))
    assert answer.status == 200 and answer.headers['content-type'].startswith('text/csv'), answer


@tap.test
def arrows_walk_along_a_curve_and_say_where_they_are():
    page.open(FRAGMENT)
    page.js('document.querySelector("#plot svg").focus()')
    said = [page.text('#plot-readout')]
    for key in (Keys.ARROW_RIGHT, Keys.ARROW_UP, Keys.HOME, Keys.END):
        page.press(key)
        said.append(page.text('#plot-readout'))
    assert all(line.startswith('E = ') for line in said), said
    assert len(set(said)) == 5, said
    assert page.find('#plot-readout').get_attribute('role') == 'status'


def close():
    page.close()
    daemon.close()


def the_browser_and_the_daemon_end_cleanly():
    close()


tap.main(the_browser_and_the_daemon_end_cleanly)
