/* plot: curves on linear or logarithmic axes, as an SVG that a mouse, a keyboard and a screen
 * reader can read, and that can be saved as it stands.
 *
 * Knows nothing of models or losses: it is given axes, curves of points and a function that puts a
 * point into words. Styling is in style.css; only the hue of a curve is set here.
 */
import { svg } from './dom.js';

const HEIGHT = 420;
const MARGIN = { top: 14, right: 64, bottom: 46, left: 62 };
const LABEL_HEIGHT = 14;

/* About `wanted` round numbers between low and high. */
function linearTicks(low, high, wanted) {
  const rough = (high - low) / wanted;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].find((m) => m * power >= rough) * power;
  const first = Math.ceil(low / step - 1e-9);
  const last = Math.floor(high / step + 1e-9);
  return Array.from({ length: last - first + 1 }, (_, i) => (first + i) * step);
}

/* 1, 2, 5 of each decade, or powers of ten alone where those are many; within less than a decade,
 * round numbers at equal steps say more. */
function logTicks(low, high, wanted) {
  const decades = Math.log10(high / low);
  if (decades < 1) return linearTicks(low, high, wanted);
  const steps = decades > wanted / 2 ? [1] : [1, 2, 5];
  const ticks = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power++) {
    ticks.push(...steps.map((step) => step * 10 ** power));
  }
  return ticks.filter((tick) => tick >= low * (1 - 1e-9) && tick <= high * (1 + 1e-9));
}

/* Maps [low, high] onto [from, to] pixels. */
function scale(low, high, from, to, log, wanted) {
  const f = log ? Math.log : (value) => value;
  const a = f(low);
  const b = f(high);
  return {
    at: (value) => from + ((f(value) - a) / (b - a)) * (to - from),
    ticks: (log ? logTicks : linearTicks)(low, high, wanted),
  };
}

function extent(values, log, pad) {
  const usable = values.filter((value) => Number.isFinite(value) && (!log || value > 0));
  let low = Math.min(...usable);
  let high = Math.max(...usable);
  if (!(high > low)) [low, high] = [low * 0.9, high * 1.1 || 1];
  return log
    ? [low / (high / low) ** pad, high * (high / low) ** pad]
    : [low - (high - low) * pad, high + (high - low) * pad];
}

/* Consecutive points that share `solid`, each run beginning where the one before ended, so that
 * the line has no gap. */
function runs(points) {
  const result = [];
  for (const point of points) {
    const last = result.at(-1);
    if (last && last.solid === point.solid) last.points.push(point);
    else result.push({ solid: point.solid, points: last ? [last.points.at(-1), point] : [point] });
  }
  return result;
}

const path = (points, x, y) =>
  points.map((p, i) => `${i ? 'L' : 'M'}${x.at(p.x).toFixed(1)} ${y.at(p.y).toFixed(1)}`).join('');

function band(points, x, y) {
  const inside = points.filter((p) => Number.isFinite(p.low) && Number.isFinite(p.high));
  if (inside.length < 2) return null;
  const upper = inside.map((p) => ({ x: p.x, y: p.high }));
  const lower = inside.map((p) => ({ x: p.x, y: p.low })).reverse();
  return svg('path', { class: 'band', d: `${path([...upper, ...lower], x, y)}Z` });
}

function axes(options, x, y, width) {
  const bottom = HEIGHT - MARGIN.bottom;
  const right = width - MARGIN.right;
  return svg('g', { class: 'axes', 'aria-hidden': 'true' },
    x.ticks.map((tick) => svg('g', { transform: `translate(${x.at(tick).toFixed(1)} 0)` },
      svg('line', { class: 'grid', y1: MARGIN.top, y2: bottom }),
      svg('text', { y: bottom + 18, 'text-anchor': 'middle' }, options.x.format(tick)))),
    y.ticks.map((tick) => svg('g', { transform: `translate(0 ${y.at(tick).toFixed(1)})` },
      svg('line', { class: 'grid', x1: MARGIN.left, x2: right }),
      svg('text', { x: MARGIN.left - 8, dy: '0.32em', 'text-anchor': 'end' },
        options.y.format(tick)))),
    svg('text', { class: 'name', x: (MARGIN.left + right) / 2, y: HEIGHT - 6,
      'text-anchor': 'middle' }, options.x.name),
    svg('text', { class: 'name', transform: `translate(14 ${(MARGIN.top + bottom) / 2}) rotate(-90)`,
      'text-anchor': 'middle' }, options.y.name));
}

/* Names beside the right ends of the curves, pushed apart where they would overlap. */
function endLabels(series, x, y) {
  const labels = series
    .map((one) => {
      const end = one.points.at(-1);
      return { one, left: x.at(end.x) + 6, top: y.at(end.y) };
    })
    .sort((a, b) => a.top - b.top);
  for (let i = 1; i < labels.length; i++) {
    labels[i].top = Math.max(labels[i].top, labels[i - 1].top + LABEL_HEIGHT);
  }
  return labels.map(({ one, left, top }) =>
    svg('text', { class: 'label', x: left.toFixed(1), y: top.toFixed(1), dy: '0.32em',
      '--hue': one.hue }, one.label));
}

/* options: {label, x: {name, log, format}, y: {…}, series: [{label, hue, points: [{x, y, low, high,
 * solid}], marks: [{x, y, strong}]}], words(series, point)}. readout: the element told what is
 * under the cursor. Points of a series ascend in x. */
export function plot(figure, readout, options) {
  const width = Math.max(320, figure.clientWidth);
  const usable = (point) => Number.isFinite(point.y) && (!options.x.log || point.x > 0);
  const series = options.series
    .map((one) => ({ ...one, points: one.points.filter(usable) }))
    .filter((one) => one.points.length > 0);
  const all = series.flatMap((one) => one.points);
  if (all.length === 0) {
    figure.replaceChildren();
    return;
  }
  const x = scale(...extent(all.map((p) => p.x), options.x.log, 0.01),
    MARGIN.left, width - MARGIN.right, options.x.log, Math.max(3, width / 110));
  const y = scale(...extent(all.map((p) => p.y), options.y.log, 0.06),
    HEIGHT - MARGIN.bottom, MARGIN.top, options.y.log, 7);

  const cursor = svg('g', { class: 'cursor', visibility: 'hidden' },
    svg('line', { y1: MARGIN.top, y2: HEIGHT - MARGIN.bottom }), svg('circle', { r: 5 }));
  const root = svg('svg', {
    xmlns: 'http://www.w3.org/2000/svg', viewBox: `0 0 ${width} ${HEIGHT}`, class: 'plot',
    tabindex: 0, role: 'application', 'aria-roledescription': 'chart',
    'aria-label': options.label, 'aria-describedby': 'plot-help',
  },
  axes(options, x, y, width),
  series.map((one) => svg('g', { class: 'series', '--hue': one.hue, 'data-label': one.label },
    band(one.points, x, y),
    runs(one.points).map((run) =>
      svg('path', { class: run.solid ? 'line' : 'line broken', d: path(run.points, x, y) })))),
  series.map((one) => one.marks.map((mark) =>
    svg('circle', { class: mark.strong ? 'mark strong' : 'mark', '--hue': one.hue,
      cx: x.at(mark.x).toFixed(1), cy: y.at(mark.y).toFixed(1), r: mark.strong ? 6.5 : 3.5 }))),
  endLabels(series, x, y),
  cursor);

  let at = null;
  const show = (s, i) => {
    at = { s, i };
    const point = series[s].points[i];
    const [line, circle] = cursor.children;
    cursor.setAttribute('visibility', 'visible');
    cursor.style.setProperty('--hue', series[s].hue);
    line.setAttribute('x1', x.at(point.x));
    line.setAttribute('x2', x.at(point.x));
    circle.setAttribute('cx', x.at(point.x));
    circle.setAttribute('cy', y.at(point.y));
    readout.textContent = options.words(series[s], point);
  };
  const nearest = (points, target) =>
    points.reduce((best, p, i) =>
      Math.abs(x.at(p.x) - target) < Math.abs(x.at(points[best].x) - target) ? i : best, 0);
  const start = () => {
    const s = Math.max(0, series.findIndex((one) => one.marks.some((mark) => mark.strong)));
    const mark = series[s].marks.find((one) => one.strong) ?? series[s].marks[0];
    show(s, mark ? nearest(series[s].points, x.at(mark.x)) : 0);
  };

  root.addEventListener('focus', () => at ?? start());
  root.addEventListener('keydown', (event) => {
    if (!at) start();
    const points = series[at.s].points;
    const moves = {
      ArrowRight: () => show(at.s, Math.min(at.i + 1, points.length - 1)),
      ArrowLeft: () => show(at.s, Math.max(at.i - 1, 0)),
      Home: () => show(at.s, 0),
      End: () => show(at.s, points.length - 1),
      ArrowUp: () => step(1),
      ArrowDown: () => step(-1),
    };
    const step = (by) => {
      const s = (at.s + by + series.length) % series.length;
      show(s, nearest(series[s].points, x.at(points[at.i].x)));
    };
    if (moves[event.key]) {
      event.preventDefault();
      moves[event.key]();
    }
  });
  root.addEventListener('pointermove', (event) => {
    const box = root.getBoundingClientRect();
    const px = ((event.clientX - box.left) / box.width) * width;
    const py = ((event.clientY - box.top) / box.height) * HEIGHT;
    let best = { distance: Infinity };
    series.forEach((one, s) => {
      const i = nearest(one.points, px);
      const distance = Math.abs(y.at(one.points[i].y) - py) +
        2 * Math.abs(x.at(one.points[i].x) - px);
      if (distance < best.distance) best = { distance, s, i };
    });
    show(best.s, best.i);
  });
  figure.replaceChildren(root);
}

/* The picture as a file of its own: what the style sheet says is written into the elements. */
const STYLES = ['fill', 'stroke', 'stroke-width', 'stroke-dasharray', 'stroke-opacity',
  'fill-opacity', 'opacity', 'font-family', 'font-size', 'font-weight', 'paint-order'];

export function standalone(root) {
  const copy = root.cloneNode(true);
  const shown = [root, ...root.querySelectorAll('*')];
  [copy, ...copy.querySelectorAll('*')].forEach((element, i) => {
    const computed = getComputedStyle(shown[i]);
    for (const name of STYLES) element.setAttribute(name, computed.getPropertyValue(name));
    for (const name of ['class', 'style', 'tabindex', 'role']) element.removeAttribute(name);
  });
  copy.querySelector('[visibility="hidden"]')?.remove();
  const { width, height } = root.viewBox.baseVal;
  copy.setAttribute('width', width);
  copy.setAttribute('height', height);
  const background = svg('rect', { width, height, fill: getComputedStyle(document.body).backgroundColor });
  copy.prepend(background);
  return new XMLSerializer().serializeToString(copy);
}
