// Renders the OpenAPI document of this server. No library, no markup from data: every text becomes a text node.
'use strict';

const base = location.pathname.replace(/\/docs\/?$/, '');
const methods = ['get', 'post', 'put', 'patch', 'delete', 'head', 'options'];
const global = new Set(['x-tenant-id', 'x-project-id']); // sent from the fields at the top
const shown = 200_000; // characters of an answer put on the page
let spec;

// h makes an element: h('a', {href: '#x'}, 'text', child …).
function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === false) continue;
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? '' : value);
  }
  element.append(...children.flat().filter((child) => child !== undefined && child !== null && child !== ''));
  return element;
}

// prose turns text with `code` and blank lines into paragraphs.
function prose(text) {
  return (text || '').split(/\n{2,}/).filter(Boolean).map((paragraph) =>
    h('p', {}, paragraph.split('`').map((part, i) => (i % 2 ? h('code', {}, part) : part))));
}

function resolve(schema) {
  for (let i = 0; schema && schema.$ref && i < 20; i++) {
    schema = schema.$ref.replace(/^#\//, '').split('/')
      .reduce((node, key) => node && node[key.replace(/~1/g, '/').replace(/~0/g, '~')], spec);
  }
  return schema || {};
}

function typesOf(schema) {
  return [schema.type || []].flat().filter((type) => type !== 'null');
}

// typeName says in words what a schema takes: "array of Memory".
function typeName(raw) {
  const schema = resolve(raw);
  const alternatives = schema.oneOf || schema.anyOf;
  if (alternatives) return [...new Set(alternatives.map(typeName))].join(' or ');
  const type = typesOf(schema).join(' or ');
  if (type === 'array') return 'array of ' + typeName(schema.items || {});
  if (type === 'object') return raw && raw.$ref ? raw.$ref.split('/').pop() : 'object';
  if (!type) return 'any JSON';
  return schema.format && !/^(u?int|float|double)/.test(schema.format) ? `${type}, ${schema.format}` : type;
}

function limits(raw) {
  const schema = resolve(raw);
  const items = resolve(schema.items);
  const said = [];
  const say = (label, value) => { if (value !== undefined) said.push(`${label} ${typeof value === 'string' ? value : JSON.stringify(value)}`); };
  if (schema.enum || items.enum) said.push('one of ' + (schema.enum || items.enum).join(', '));
  say('default', raw.default ?? schema.default);
  say('≥', schema.minimum); say('>', schema.exclusiveMinimum);
  say('≤', schema.maximum); say('<', schema.exclusiveMaximum);
  say('min. length', schema.minLength); say('max. length', schema.maxLength);
  say('min. entries', schema.minItems); say('max. entries', schema.maxItems);
  say('pattern', schema.pattern || items.pattern);
  if (schema.uniqueItems) said.push('no repetitions');
  return said.join(' · ');
}

// fieldItem is one line of a list of fields; what lies below is built when it is opened, so cycles are harmless.
function fieldItem(name, schema, required, description) {
  const whole = resolve(schema);
  const below = typesOf(whole).includes('array') ? whole.items : schema;
  const nested = Object.keys(propertiesOf(below)).length > 0;
  return h('li', {},
    h('span', { class: 'name' }, name),
    h('span', { class: 'type' }, typeName(schema)),
    required ? h('span', { class: 'must' }, 'required') : '',
    prose(description || schema.description || whole.description),
    limits(schema) ? h('div', { class: 'limits' }, limits(schema)) : '',
    nested ? lazily('fields', () => fieldList(below)) : '');
}

function propertiesOf(schema) {
  const whole = resolve(schema);
  const all = { ...(whole.properties || {}) };
  for (const part of [...(whole.allOf || []), ...(whole.oneOf || []), ...(whole.anyOf || [])]) {
    Object.assign(all, propertiesOf(part));
  }
  return all;
}

function fieldList(schema) {
  const required = new Set(resolve(schema).required || []);
  const properties = Object.entries(propertiesOf(schema));
  properties.sort((a, b) => required.has(b[0]) - required.has(a[0]));
  return h('ul', { class: 'fields' }, properties.map(([name, property]) => fieldItem(name, property, required.has(name))));
}

function schemaView(schema) {
  const whole = resolve(schema);
  const below = typesOf(whole).includes('array') ? whole.items : schema;
  const list = Object.keys(propertiesOf(below)).length ? fieldList(below) : '';
  return [h('p', { class: 'muted' }, typeName(schema), whole.description && !list ? ': ' + whole.description : ''), list];
}

function lazily(label, build) {
  const details = h('details', { class: 'more' }, h('summary', {}, label));
  details.addEventListener('toggle', () => {
    if (details.open && details.childElementCount === 1) details.append(...[build()].flat());
  });
  return details;
}

// example makes up a value of the schema; sparse leaves out what is optional and has no example of its own.
function example(raw, sparse, depth = 0) {
  const schema = resolve(raw);
  if (raw.examples || schema.examples) return (raw.examples || schema.examples)[0];
  if (schema.enum) return raw.default ?? schema.default ?? schema.enum[0];
  if (raw.default !== undefined || schema.default !== undefined) return raw.default ?? schema.default;
  const alternatives = schema.oneOf || schema.anyOf || schema.allOf;
  if (alternatives && depth < 6) return example(alternatives[0], sparse, depth + 1);
  switch (typesOf(schema)[0]) {
    case 'object': {
      const value = {};
      if (depth > 5) return value;
      const required = new Set(schema.required || []);
      for (const [name, property] of Object.entries(propertiesOf(raw))) {
        if (sparse && !required.has(name) && !(property.examples || resolve(property).examples)) continue;
        value[name] = example(property, sparse, depth + 1);
      }
      return value;
    }
    case 'array': return depth > 5 || (sparse && !schema.minItems && !schema.items) ? [] : [example(schema.items || {}, sparse, depth + 1)];
    case 'integer': return Math.max(schema.minimum ?? 0, 0);
    case 'number': return Math.max(schema.minimum ?? 0, Math.min(0.5, schema.maximum ?? 0.5));
    case 'boolean': return false;
    case 'string': return stringExample(schema);
  }
  return null;
}

function stringExample(schema) {
  switch (schema.format) {
    case 'date-time': return '2026-01-31T09:30:00Z';
    case 'uuid': return '0197e4a2-5c1d-7c3e-9a5b-2f6d8e01b7c4';
    case 'uri': return 'urn:example';
  }
  return 'text'.padEnd(schema.minLength || 0, '.');
}

function mediaOf(content) {
  const media = Object.keys(content || {}).find((type) => /json$/.test(type)) || Object.keys(content || {})[0];
  return media ? { media, ...content[media] } : undefined;
}

function exampleText(content, sparse) {
  if (/ndjson/.test(content.media)) return '{"content":"one JSON object per line"}\n';
  if (content.example !== undefined) return JSON.stringify(content.example, null, 2);
  const named = Object.values(content.examples || {})[0];
  if (named && named.value !== undefined) return JSON.stringify(named.value, null, 2);
  return JSON.stringify(example(content.schema || {}, sparse), null, 2);
}

function operationView(operation) {
  const details = h('details', { class: 'operation' + (operation.deprecated ? ' deprecated' : ''), id: operation.id },
    h('summary', {},
      h('span', { class: 'method ' + operation.method }, operation.method),
      h('span', { class: 'path' }, operation.path),
      h('span', { class: 'summary' }, operation.summary || '')));
  details.addEventListener('toggle', () => {
    if (details.open && details.childElementCount === 1) details.append(h('div', { class: 'inside' }, inside(operation)));
  });
  return details;
}

function inside(operation) {
  const view = [prose(operation.description)];
  const parameters = operation.parameters.filter((parameter) => !global.has(parameter.name.toLowerCase()));
  if (parameters.length) {
    view.push(h('h3', {}, 'Parameters'), h('ul', { class: 'fields' }, parameters.map((parameter) => {
      const item = fieldItem(parameter.name, parameter.schema || {}, parameter.required, parameter.description);
      item.querySelector('.type').append(` · ${parameter.in}`);
      return item;
    })));
  }
  const body = operation.requestBody && mediaOf(operation.requestBody.content);
  if (body) {
    view.push(h('h3', {}, 'Request body'), h('p', {}, h('code', {}, body.media)), prose(operation.requestBody.description),
      schemaView(body.schema || {}));
  }
  const responses = Object.entries(operation.responses || {});
  const errors = responses.filter(([status]) => status >= '400' || status === 'default');
  for (const [status, response] of responses.filter((entry) => !errors.includes(entry))) {
    const content = mediaOf(response.content);
    view.push(h('h3', {}, 'Answer'), h('div', { class: 'codes' }, h('span', { class: 'code good' }, status), response.description || '',
      content ? h('code', {}, content.media) : ''));
    const headers = Object.entries(response.headers || {});
    if (headers.length) view.push(h('ul', { class: 'fields' }, headers.map(([name, header]) => fieldItem(name, header.schema || {}, false, header.description))));
    if (content && content.schema && /ndjson/.test(content.media)) {
      view.push(schemaView(content.schema));
    } else if (content && content.schema) {
      view.push(lazily('fields of the answer', () => schemaView(content.schema)),
        lazily('example', () => h('pre', { tabindex: '0' }, exampleText(content, false))));
    }
  }
  if (errors.length) {
    view.push(h('h3', {}, 'Errors'), h('div', { class: 'codes' }, errors.map(([status, response]) =>
      h('span', { class: 'code bad', title: response.description || '' }, status))));
    const problem = mediaOf(errors[0][1].content);
    if (problem) view.push(lazily('problem document', () => schemaView(problem.schema || {})));
  }
  view.push(tryForm(operation, parameters, body));
  return view.flat();
}

function control(parameter) {
  const schema = resolve(parameter.schema);
  const name = `${parameter.in}:${parameter.name}`;
  if (schema.enum) return h('select', { name }, h('option', { value: '' }, ''), schema.enum.map((value) => h('option', { value }, value)));
  if (typesOf(schema)[0] === 'boolean') return h('select', { name }, ['', 'true', 'false'].map((value) => h('option', { value }, value)));
  return h('input', {
    name, spellcheck: 'false', required: parameter.required,
    placeholder: schema.default === undefined ? '' : String(schema.default),
    value: parameter.in === 'path' ? String(example(parameter.schema || {}, true) ?? '') : undefined,
  });
}

function tryForm(operation, parameters, body) {
  const answer = h('div', { class: 'answer', role: 'status', 'aria-live': 'polite' });
  const send = h('button', { type: 'submit' }, 'Send');
  const text = body && h('textarea', { name: 'body', spellcheck: 'false', 'aria-label': 'Request body' });
  if (text) text.value = exampleText(body, true);
  const form = h('form', { class: 'try', autocomplete: 'off' },
    h('h3', {}, 'Try it'),
    parameters.length ? h('div', { class: 'inputs' }, parameters.map((parameter) =>
      h('label', {}, h('span', {}, h('span', { class: 'name' }, parameter.name), parameter.required ? h('span', { class: 'must' }, 'required') : ''),
        control(parameter)))) : '',
    text,
    h('div', { class: 'actions' }, send,
      h('button', { type: 'button', class: 'quiet', onclick: () => copy(curl(request()), answer) }, 'Copy as curl'),
      h('span', { class: 'muted' }, 'Ctrl + Enter sends')),
    answer);
  const request = () => buildRequest(operation, parameters, form, body);
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    send.disabled = true;
    answer.replaceChildren(h('p', { class: 'muted' }, 'Waiting…'));
    answer.replaceChildren(...await perform(request()));
    send.disabled = false;
  });
  form.addEventListener('keydown', (event) => {
    if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) form.requestSubmit();
  });
  return form;
}

function buildRequest(operation, parameters, form, body) {
  const identity = document.getElementById('identity').elements;
  const headers = {};
  if (identity.tenant.value) headers['X-Tenant-ID'] = identity.tenant.value;
  if (identity.project.value) headers['X-Project-ID'] = identity.project.value;
  const token = identity.token.value.trim();
  if (token.split('.').length === 3) headers.Authorization = 'Bearer ' + token;
  else if (token) headers['X-API-Key'] = token;
  let path = operation.path;
  const query = new URLSearchParams();
  for (const parameter of parameters) {
    const value = form.elements[`${parameter.in}:${parameter.name}`].value;
    if (parameter.in === 'path') path = path.replace(`{${parameter.name}}`, encodeURIComponent(value));
    else if (value && parameter.in === 'query') query.set(parameter.name, value);
    else if (value && parameter.in === 'header') headers[parameter.name] = value;
  }
  const request = { method: operation.method.toUpperCase(), url: base + path + (query.size ? '?' + query : ''), headers };
  if (body) {
    headers['Content-Type'] = body.media;
    request.body = form.elements.body.value;
  }
  return request;
}

async function perform(request) {
  const started = performance.now();
  try {
    const response = await fetch(request.url, { method: request.method, headers: request.headers, body: request.body, redirect: 'error', cache: 'no-store' });
    const text = await response.text();
    const took = Math.round(performance.now() - started);
    const headers = [...response.headers].map(([name, value]) => `${name}: ${value}`).join('\n');
    return [
      h('div', { class: 'codes' }, h('span', { class: 'code ' + (response.ok ? 'good' : 'bad') }, String(response.status)),
        response.statusText, h('span', { class: 'muted' }, `${took} ms, ${text.length.toLocaleString('en')} characters`)),
      lazily('headers', () => h('pre', { tabindex: '0' }, headers)),
      text ? h('pre', { tabindex: '0' }, pretty(text, response.headers.get('Content-Type') || '')) : '',
    ].filter(Boolean);
  } catch (error) {
    return [h('p', { class: 'must' }, 'The request could not be made: ' + error.message)];
  }
}

function pretty(text, media) {
  let told = text;
  if (/json$/.test(media.split(';')[0]) && !/ndjson/.test(media)) {
    // Reading and writing again would bend integers beyond a double; then the text stays as it came.
    try { if (!/[[:,]\s*-?\d{16}/.test(text)) told = JSON.stringify(JSON.parse(text), null, 2); } catch { /* shown as it came */ }
  }
  return told.length > shown ? told.slice(0, shown) + '\n… (cut)' : told;
}

function curl(request) {
  const quote = (text) => "'" + text.replace(/'/g, `'\\''`) + "'";
  const parts = ['curl', '-sS', '-X', request.method, quote(location.origin + request.url)];
  for (const [name, value] of Object.entries(request.headers)) parts.push('-H', quote(`${name}: ${value}`));
  if (request.body !== undefined) parts.push('--data-binary', quote(request.body));
  return parts.join(' ');
}

async function copy(text, answer) {
  try {
    await navigator.clipboard.writeText(text);
    answer.replaceChildren(h('p', { class: 'muted' }, 'Copied.'));
  } catch {
    answer.replaceChildren(h('pre', { tabindex: '0' }, text)); // no clipboard without a secure origin
  }
}

function operationsOf(document) {
  const all = [];
  for (const [path, item] of Object.entries(document.paths || {})) {
    for (const method of methods) {
      const operation = item[method];
      if (!operation) continue;
      all.push({
        ...operation, path, method,
        id: 'op-' + (operation.operationId || `${method}-${path}`),
        tag: (operation.tags || ['other'])[0],
        parameters: [...(item.parameters || []), ...(operation.parameters || [])].map(resolve),
      });
    }
  }
  return all;
}

function draw() {
  const tags = new Map((spec.tags || []).map((tag) => [tag.name, []]));
  for (const operation of operationsOf(spec)) {
    if (!tags.has(operation.tag)) tags.set(operation.tag, []);
    tags.get(operation.tag).push(operation);
  }
  const described = Object.fromEntries((spec.tags || []).map((tag) => [tag.name, tag.description]));
  document.title = `${spec.info.title} API`;
  document.getElementById('title').textContent = spec.info.title;
  document.getElementById('version').textContent = spec.info.version;
  document.getElementById('about').replaceChildren(h('h1', {}, `${spec.info.title} API`), ...prose(spec.info.description));
  const menu = [], content = [];
  for (const [tag, operations] of tags) {
    if (!operations.length) continue;
    const link = (operation) => h('a', { href: '#' + operation.id, onclick: () => open(operation.id) },
      h('span', { class: 'method ' + operation.method }, operation.method), operation.summary || operation.path);
    menu.push(h('section', {}, h('h2', {}, tag), h('ul', {}, operations.map((operation) =>
      h('li', { 'data-text': [operation.method, operation.path, operation.summary, operation.id, tag].join(' ').toLowerCase() }, link(operation))))));
    content.push(h('section', {}, h('h2', {}, tag), prose(described[tag]), operations.map((operation) => {
      const view = operationView(operation);
      view.dataset.text = [operation.method, operation.path, operation.summary, operation.id, tag].join(' ').toLowerCase();
      return view;
    })));
  }
  document.getElementById('menu').replaceChildren(...menu);
  document.getElementById('operations').replaceChildren(...content);
}

function open(id) {
  const target = document.getElementById(id);
  if (target && target.matches('details')) {
    target.open = true;
    target.scrollIntoView();
    target.querySelector('summary').focus({ preventScroll: true });
  }
}

function filter(words) {
  const wanted = words.toLowerCase().split(/\s+/).filter(Boolean);
  for (const element of document.querySelectorAll('[data-text]')) {
    element.hidden = !wanted.every((word) => element.dataset.text.includes(word));
  }
  for (const section of document.querySelectorAll('#menu section, #operations section')) {
    section.hidden = !section.querySelector('[data-text]:not([hidden])');
  }
  document.getElementById('menu').classList.toggle('filtered', wanted.length > 0);
}

// remember keeps the fields at the top: names for good, the credential only while the tab lives.
function remember() {
  const elements = document.getElementById('identity').elements;
  const stores = { tenant: localStorage, project: localStorage, token: sessionStorage };
  for (const [name, store] of Object.entries(stores)) {
    const kept = store.getItem('rae.' + name);
    if (kept !== null) elements[name].value = kept;
    elements[name].addEventListener('input', () => store.setItem('rae.' + name, elements[name].value));
  }
}

function themes() {
  const root = document.documentElement;
  const kept = localStorage.getItem('rae.theme');
  if (kept) root.dataset.theme = kept;
  document.getElementById('theme').addEventListener('click', () => {
    const dark = root.dataset.theme ? root.dataset.theme === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches;
    root.dataset.theme = dark ? 'light' : 'dark';
    localStorage.setItem('rae.theme', root.dataset.theme);
  });
}

async function start() {
  themes();
  remember();
  document.getElementById('identity').addEventListener('submit', (event) => event.preventDefault());
  const box = document.getElementById('filter');
  box.addEventListener('input', () => filter(box.value));
  document.addEventListener('keydown', (event) => {
    if (event.key === '/' && !event.target.matches('input, textarea, select')) { event.preventDefault(); box.focus(); }
    if (event.key === 'Escape' && event.target === box) { box.value = ''; filter(''); }
  });
  try {
    const response = await fetch(`${base}/openapi.json`);
    if (!response.ok) throw new Error(`${response.status} ${response.statusText}`);
    spec = await response.json();
  } catch (error) {
    document.getElementById('about').replaceChildren(h('h1', {}, 'The API could not be loaded'), h('p', { class: 'must' }, error.message));
    return;
  }
  draw();
  const fromAddress = () => open(decodeURIComponent(location.hash.slice(1)));
  addEventListener('hashchange', fromAddress);
  fromAddress();
}

start();
