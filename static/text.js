/* text: numbers as people of the field write them. */

const COUNTS = [[1e12, 'T'], [1e9, 'B'], [1e6, 'M'], [1e3, 'K']];
const BYTES = [[1e15, 'PB'], [1e12, 'TB'], [1e9, 'GB'], [1e6, 'MB'], [1e3, 'kB']];

function scaled(value, units, separator, unit) {
  if (value === null || value === undefined || !Number.isFinite(value)) return '–';
  for (const [size, name] of units) {
    /* 999.96 million to three digits is 1.00B, not 1000M. */
    if (Math.abs(value) >= size * 0.9995) return digits(value / size) + separator + name;
  }
  return digits(value) + (unit ? separator + unit : '');
}

/* Three significant digits without an exponent: 13.2, 126, 0.5. */
function digits(value) {
  const rounded = Number(value.toPrecision(3));
  if (rounded === 0) return '0';
  const decimals = 2 - Math.floor(Math.log10(Math.abs(rounded)) + 1e-9);
  return rounded.toFixed(Math.min(Math.max(decimals, 0), 6));
}

export const count = (value) => scaled(value, COUNTS, '', '');
export const bytes = (value) => scaled(value, BYTES, ' ', 'B');
export const loss = (value) => (Number.isFinite(value) ? value.toFixed(4) : '–');
/* 20B rather than 20.0B: for ticks and ranges. */
export const shortCount = (value) => count(value).replace(/(\.\d*?)0+(?=\D*$)/, '$1').replace(/\.(?=\D*$)/, '');
export const integer = (value) => (Number.isFinite(value) ? Math.round(value).toLocaleString('en-US') : '–');

/* 1e22, 3.5e21: as the budget is typed. */
export function flops(value) {
  if (!Number.isFinite(value)) return '–';
  const [mantissa, exponent] = value.toExponential(3).split('e');
  return `${Number(mantissa)}e${Number(exponent)}`;
}

/* At most four significant digits, exponents where they are shorter. */
export function number(value) {
  if (value === null || value === undefined || !Number.isFinite(value)) return '–';
  const size = Math.abs(value);
  if (size !== 0 && (size >= 1e6 || size < 1e-3)) return flops(value);
  return String(Number(value.toPrecision(4)));
}

export function percent(value) {
  return `${value >= 0 ? '+' : '−'}${Math.abs(100 * value).toFixed(2)} %`;
}

/* "a", "a and b", "a, b and c" */
export function list(words) {
  if (words.length < 2) return words.join('');
  return `${words.slice(0, -1).join(', ')} and ${words.at(-1)}`;
}

export const LOSS_UNITS = { nats_per_token: 'nats per token', bits_per_byte: 'bits per byte' };

export const CONVENTIONS = {
  with_embedding: 'parameters counted with embeddings',
  non_embedding: 'active parameters counted without embeddings',
};

/* The contract's names of limits and variables, in words. */
const NAMES = {
  compute: 'the training budget',
  memory: 'serving memory',
  train_memory: 'training memory',
  max_tokens: 'the data at hand',
  max_n_active: 'the limit on active parameters',
  min_tokens_per_param: 'the least tokens per parameter',
  max_tokens_per_param: 'the most tokens per parameter',
  target_loss: 'the target loss',
  n_active: 'active parameters',
  n_total: 'total parameters',
  tokens: 'tokens',
  experts: 'expansion rate E',
  granularity: 'granularity G',
  tokens_per_active_param: 'tokens per active parameter',
  train_flops: 'training compute',
};

export const named = (name) => NAMES[name] ?? name;

/* The same in a narrow column. */
const SHORT_NAMES = { compute: 'budget', memory: 'memory', max_tokens: 'data', max_n_active: 'active parameters' };

export const shortNamed = (name) => SHORT_NAMES[name] ?? name.replaceAll('_', ' ');
