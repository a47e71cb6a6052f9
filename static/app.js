/* app: the page. What is asked stands in the address (after the #), so that it can be shared; each
 * change asks the API again and shows what it said.
 */
import { Problem, get, getAll, setToken } from './api.js';
import * as answer from './answer.js';
import { byId, el, save, table } from './dom.js';
import { plot, standalone } from './plot.js';
import * as text from './text.js';

const FIELDS = ['compute', 'memory', 'kv_tokens', 'inference_tokens', 'train_memory', 'max_tokens',
  'max_n_active', 'experts', 'granularity'];
const DEFAULTS = { compute: '1e22', memory: '80GB' };
const SECTIONS = ['plot-section', 'candidates-section', 'architecture', 'dense', 'fit-card', 'curl'];
const WAIT_MS = 250;
const FITS_SHOWN = 20; /* of a study, newest first; older ones by their address */
const HUE_FIRST = 265;
const HUE_SPAN = 230;
const AXES = {
  n_active: { name: 'active parameters', format: text.shortCount },
  n_total: { name: 'total parameters', format: text.shortCount },
  tokens: { name: 'tokens', format: text.shortCount },
};

const known = { studies: [], fits: [], laws: new Map(), fit: new Map() }; /* laws by name, fit by id */
let shown = null; /* {plan, curve, unit} on the page */
let asking = null; /* the AbortController of the question under way */

/* Commas are legal in a query, and lists are easier to read with them. */
const readable = (query) => query.toString().replaceAll('%2C', ',');

/* The question as query parameters: what the API is asked and what the address carries. */
function question() {
  const query = new URLSearchParams();
  const [kind, id] = byId('fit').value.split('=');
  if (id) query.set(kind, id);
  for (const name of FIELDS) {
    const value = byId(name).value.trim();
    if (value !== '') query.set(name, value);
  }
  return query;
}

function writeAddress() {
  const state = question();
  state.set('x', byId('x').value);
  state.set('scale', `${byId('x-log').checked ? 'log' : 'lin'},${byId('y-log').checked ? 'log' : 'lin'}`);
  history.replaceState(null, '', `#${readable(state)}`);
}

function readAddress() {
  const state = new URLSearchParams(location.hash.slice(1));
  const fresh = [...state].length === 0;
  const wanted = state.has('fit') ? `fit=${state.get('fit')}`
    : state.has('study') ? `study=${state.get('study')}` : defaultFit();
  const select = byId('fit');
  if (![...select.options].some((option) => option.value === wanted)) {
    select.append(el('option', { value: wanted }, wanted.replace('=', ' ')));
  }
  select.value = wanted;
  for (const name of FIELDS) {
    byId(name).value = state.get(name) ?? (fresh ? DEFAULTS[name] ?? '' : '');
  }
  byId('more').open ||= [...byId('more').querySelectorAll('input')].some((input) => input.value);
  byId('x').value = AXES[state.get('x')] ? state.get('x') : 'n_active';
  const [x, y] = (state.get('scale') ?? 'log,lin').split(',');
  byId('x-log').checked = x !== 'lin';
  byId('y-log').checked = y === 'log';
}

/* The study fitted last, else what the API itself would take. */
function defaultFit() {
  const own = known.fits.filter((fit) => fit.status === 'finished').sort((a, b) => a.id - b.id).at(-1);
  return own ? `study=${own.study}` : 'fit=joint-2025';
}

/* Every study with its newest fits, then what was published; only laws that can plan. */
function fillFits() {
  const option = (value, words) => el('option', { value }, words);
  const groups = known.studies.map((study) => {
    const fits = known.fits.filter((fit) =>
      fit.study === study.id && fit.status === 'finished' && known.laws.get(fit.law)?.plans);
    return el('optgroup', { label: `Study ${study.id}` },
      option(`study=${study.id}`, `${study.id}: ${fits.length ? 'its current fit' : 'no fit yet, published coefficients'}`),
      fits.slice(-FITS_SHOWN).reverse().map((fit) => option(`fit=${fit.id}`,
        `${study.id} #${fit.id}: ${fit.law}, ${fit.points} runs${fit.label ? `, ${fit.label}` : ''}`)));
  });
  const presets = [...known.laws.values()].filter((law) => law.plans).flatMap((law) => law.presets);
  byId('fit').replaceChildren(...groups,
    el('optgroup', { label: 'Published' }, presets.map((id) => option(`fit=${id}`, id))));
}

function clearErrors() {
  for (const name of ['fit', ...FIELDS]) {
    byId(`${name}-error`).textContent = '';
    byId(name).removeAttribute('aria-invalid');
  }
  byId('problem').hidden = true;
  byId('token-field').hidden = true;
}

/* A problem is said beside the fields it names; what names none is said above the answer. */
function showProblem(problem) {
  for (const id of SECTIONS) byId(id).hidden = true;
  byId('summary').replaceChildren();
  shown = null;
  for (const { parameter, detail } of problem.errors ?? []) {
    const place = parameter === 'study' ? 'fit' : parameter;
    if (place !== 'fit' && !FIELDS.includes(place)) continue;
    byId(`${place}-error`).textContent = detail;
    byId(place).setAttribute('aria-invalid', 'true');
    if (byId('more').contains(byId(place))) byId('more').open = true;
  }
  const line = byId('problem');
  line.replaceChildren(el('strong', null, `${problem.title ?? 'Error'}. `), problem.detail ?? '');
  line.hidden = false;
  byId('token-field').hidden = problem.status !== 401;
}

async function describeFit(id, signal) {
  if (!known.fit.has(id)) {
    known.fit.set(id, await get(`v1/fits/${encodeURIComponent(id)}`, signal));
  }
  const fit = known.fit.get(id);
  return [fit, known.laws.get(fit.law)];
}

/* Rows of a column-wise curve. */
function rowsOf(curve) {
  const names = Object.keys(curve.columns);
  return curve.columns[names[0]].map((_, i) =>
    Object.fromEntries(names.map((name) => [name, curve.columns[name][i]])));
}

function fill(id, nodes) {
  byId(id).replaceChildren(...(nodes ?? []));
  byId(id).hidden = !nodes;
}

function showPlan(plan, curve) {
  const study = known.studies.find((one) => one.id === plan.study);
  const unit = text.LOSS_UNITS[study?.loss_unit ?? 'nats_per_token'];
  shown = { plan, rows: rowsOf(curve), unit };
  byId('summary').replaceChildren(...answer.summary(plan, unit));
  byId('candidates').replaceChildren(answer.candidates(plan));
  byId('candidates-section').hidden = false;
  fill('architecture', answer.architecture(plan));
  fill('dense', answer.dense(plan));
  byId('plot-section').hidden = false;
  drawPlot();
  byId('curl').hidden = false;
  byId('curl').querySelector('code').textContent =
    `curl -s '${new URL(`v1/plan?${readable(question())}`, location.href.split('#')[0])}'`;
  byId('save-curve').href = `v1/curves/isoflop?${question()}&format=csv`;
}

function seriesOf(rows, plan, axis) {
  const rates = [...new Set(rows.map((row) => row.experts))];
  return rates.map((experts, i) => {
    const mine = rows.filter((row) => row.experts === experts).sort((a, b) => a[axis] - b[axis]);
    const candidate = plan.candidates.find((one) => one.experts === experts && one.feasible);
    const least = mine.find((row) => row.optimum);
    const mark = (of, strong) => ({ x: of[axis], y: of.loss, strong });
    return {
      label: `E ${text.number(experts)}`,
      hue: HUE_FIRST + (HUE_SPAN * i) / Math.max(1, rates.length - 1),
      points: mine.map((row) => ({
        x: row[axis], y: row.loss, low: row.loss_low, high: row.loss_high,
        solid: Boolean(row.feasible), row,
      })),
      marks: [
        ...(least ? [mark(least, false)] : []),
        ...(candidate && experts === plan.optimum.experts ? [mark(candidate, true)] : []),
      ],
    };
  });
}

/* Which variable lies furthest outside the fitted ranges, and how far. */
function outsideWords(row) {
  const far = row.extrapolates_distance;
  return text.named(row.extrapolates_variable) +
    (Number.isFinite(far) ? ` by ${Number(far.toPrecision(2))} of its range` : '');
}

function pointWords(row) {
  return `E = ${text.number(row.experts)}: loss ${text.loss(row.loss)} at ${text.count(row.n_active)} active of ` +
    `${text.count(row.n_total)} parameters, ${text.count(row.tokens)} tokens` +
    (row.feasible ? '' : '; breaks a limit') + (row.extrapolates ? `; extrapolates ${outsideWords(row)}` : '');
}

function drawPlot() {
  if (!shown) return;
  const axis = byId('x').value;
  const { plan, rows, unit } = shown;
  const best = plan.optimum;
  const series = seriesOf(rows, plan, axis);
  plot(byId('plot'), byId('plot-readout'), {
    label: `Predicted loss over ${AXES[axis].name} at ${text.flops(plan.constraints.compute)} FLOPs, ` +
      `${series.length} curves. Least within the limits: ${text.loss(best.loss)} at E = ${text.number(best.experts)}, ` +
      `${text.count(best[axis])} ${AXES[axis].name}.`,
    x: { ...AXES[axis], log: byId('x-log').checked },
    y: { name: `loss, ${unit}`, log: byId('y-log').checked, format: (value) => String(Number(value.toPrecision(6))) },
    series,
    words: (_, point) => pointWords(point.row),
  });
  if (byId('plot-table').open) fillPlotTable();
}

function fillPlotTable() {
  byId('plot-table').querySelector('.scroll').replaceChildren(
    table('Loss along each curve', ['E', 'G', 'Active', 'Total', 'Tokens', 'Loss', 'Within limits', 'Extrapolates'],
      shown.rows.map((row) => [text.number(row.experts), text.number(row.granularity), text.count(row.n_active),
        text.count(row.n_total), text.count(row.tokens), text.loss(row.loss), row.feasible ? 'yes' : 'no',
        row.extrapolates ? outsideWords(row) : 'no'])));
}

async function ask() {
  asking?.abort();
  asking = new AbortController();
  const { signal } = asking;
  const query = question();
  document.body.setAttribute('aria-busy', 'true');
  try {
    const [plan, curve] = await Promise.all([
      get(`v1/plan?${query}`, signal), get(`v1/curves/isoflop?${query}`, signal)]);
    clearErrors();
    showPlan(plan, curve);
    fill('fit-card', answer.fitCard(...await describeFit(plan.fit, signal)));
  } catch (error) {
    if (signal.aborted) return;
    clearErrors();
    showProblem(error instanceof Problem ? error.problem
      : { title: 'The service does not answer', detail: error.message });
  }
  document.body.removeAttribute('aria-busy');
}

let timer = 0;
function changed(delay) {
  writeAddress();
  clearTimeout(timer);
  timer = setTimeout(ask, delay);
}

async function load() {
  const [studies, laws] = await Promise.all([getAll('v1/studies'), getAll('v1/laws')]);
  const fits = await Promise.all(studies.map((study) =>
    getAll('v1/fits', { study: study.id, fields: 'id,study,law,label,status,points' })));
  Object.assign(known, { studies, fits: fits.flat(), laws: new Map(laws.map((law) => [law.name, law])) });
  fillFits();
  readAddress();
  const version = await get('v1/version');
  byId('version').textContent = `version ${version.version}`;
}

function wire() {
  const form = byId('question');
  form.addEventListener('submit', (event) => event.preventDefault());
  form.addEventListener('input', (event) => {
    if (event.target.id !== 'token') changed(event.target.tagName === 'SELECT' ? 0 : WAIT_MS);
  });
  form.addEventListener('click', (event) => {
    const chip = event.target.closest('.chips button');
    if (!chip) return;
    byId(chip.parentElement.dataset.for).value = chip.value;
    changed(0);
  });
  byId('token').addEventListener('change', (event) => {
    setToken(event.target.value);
    start();
  });
  for (const id of ['x', 'x-log', 'y-log']) {
    byId(id).addEventListener('change', () => {
      writeAddress();
      drawPlot();
    });
  }
  byId('plot-table').addEventListener('toggle', () => shown && fillPlotTable());
  byId('save-svg').addEventListener('click', () =>
    save('moeplan-isoflop.svg', 'image/svg+xml', standalone(byId('plot').firstElementChild)));
  byId('save-candidates').addEventListener('click', () =>
    save('moeplan-candidates.csv', 'text/csv', answer.candidatesCsv(shown.plan)));
  window.addEventListener('hashchange', () => {
    readAddress();
    ask();
  });
  new ResizeObserver(drawPlot).observe(byId('plot'));
}

async function start() {
  try {
    await load();
    writeAddress();
    await ask();
  } catch (error) {
    showProblem(error instanceof Problem ? error.problem
      : { title: 'The service does not answer', detail: error.message });
  }
}

wire();
start();
