/* api: GETs of the public API, and its problem documents as errors. */

/* An answer other than 2xx: .problem is the RFC 9457 document. */
export class Problem extends Error {
  constructor(problem) {
    super(problem.detail ?? problem.title);
    this.problem = problem;
  }
}

const TOKEN = 'moeplan-token';

export const setToken = (token) => sessionStorage.setItem(TOKEN, token);

export async function get(path, signal) {
  const token = sessionStorage.getItem(TOKEN);
  const headers = { Accept: 'application/json' };
  if (token) headers.Authorization = `Bearer ${token}`;
  const response = await fetch(path, { headers, signal });
  const isJson = /[/+]json/.test(response.headers.get('Content-Type') ?? '');
  const body = isJson ? await response.json() : null;
  if (!response.ok) {
    throw new Problem(body ?? { status: response.status, title: `HTTP ${response.status}` });
  }
  return body;
}

/* Every item of a paged list; query: an object of further parameters. */
export async function getAll(path, query) {
  const items = [];
  const parameters = new URLSearchParams({ ...query, limit: 1000 });
  for (;;) {
    const page = await get(`${path}?${parameters}`);
    items.push(...page.items);
    if (!page.next_cursor) return items;
    parameters.set('cursor', page.next_cursor);
  }
}
