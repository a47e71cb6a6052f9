/* dom: elements from a tag, attributes and children. Text is always set as text, never as markup. */

function build(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name === 'class') element.setAttribute('class', value);
    else if (name.startsWith('--')) element.style.setProperty(name, value);
    else element.setAttribute(name, value === true ? '' : value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
  return element;
}

export function el(tag, attributes, ...children) {
  return build(document.createElement(tag), attributes, children);
}

export function svg(tag, attributes, ...children) {
  return build(document.createElementNS('http://www.w3.org/2000/svg', tag), attributes, children);
}

export const byId = (id) => document.getElementById(id);

/* head: cells of the header row. rows: arrays of cells; a cell is a node, a text or {node, …th/td
 * attributes}. The first cell of a row is its header. */
export function table(caption, head, rows, rowClass = () => null) {
  const cell = (tag, value, attributes) =>
    value?.node !== undefined
      ? el(tag, { ...attributes, ...value.attributes }, value.node)
      : el(tag, attributes, value);
  return el('table', null,
    el('caption', null, caption),
    el('thead', null, el('tr', null, head.map((name) => cell('th', name, { scope: 'col' })))),
    el('tbody', null, rows.map((row, i) =>
      el('tr', { class: rowClass(i) }, row.map((value, column) =>
        column === 0 ? cell('th', value, { scope: 'row' }) : cell('td', value, null))))));
}

/* Offers text as a file. */
export function save(name, type, text) {
  const link = el('a', { href: URL.createObjectURL(new Blob([text], { type })), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}
