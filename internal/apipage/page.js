'use strict';

// Everything from a document goes into the page as text, never as markup.
function el(name, attributes, ...children) {
  const e = document.createElement(name);
  for (const [k, v] of Object.entries(attributes)) {
    if (v !== false && v != null) e.setAttribute(k, v === true ? '' : v);
  }
  e.append(...children);
  return e;
}

// follow leads a reference in the document (RFC 6901 in a fragment) to its target.
function follow(ref, doc) {
  const steps = decodeURIComponent(ref.slice(1)).split('/').slice(1);
  return steps.reduce((o, s) => o && o[s.replaceAll('~1', '/').replaceAll('~0', '~')], doc);
}

// outline replaces references by their schemas, each once on the way down.
function outline(schema, doc, above = []) {
  if (!schema || typeof schema !== 'object') return schema;
  if (typeof schema.$ref === 'string') {
    if (above.includes(schema.$ref)) return '(' + schema.$ref.split('/').pop() + ')';
    return outline(follow(schema.$ref, doc), doc, [...above, schema.$ref]);
  }
  if (Array.isArray(schema)) return schema.map((s) => outline(s, doc, above));
  return Object.fromEntries(Object.entries(schema).map(([k, v]) => [k, outline(v, doc, above)]));
}

const formats = {
  'date-time': '2026-01-02T15:04:05Z', date: '2026-01-02', email: 'ann@example.com', uri: 'https://example.com', url: 'https://example.com',
  uuid: '123e4567-e89b-42d3-a456-426614174000', ipv4: '192.0.2.1', ipv6: '2001:db8::1', hostname: 'example.com',
};

// example is a value that a schema admits, as far as its limits are easy to keep.
function example(schema, doc, above = []) {
  if (!schema || typeof schema !== 'object') return null;
  if (schema.examples && schema.examples.length) return schema.examples[0];
  if (schema.$ref) return above.includes(schema.$ref) ? null : example(follow(schema.$ref, doc), doc, [...above, schema.$ref]);
  if ('const' in schema) return schema.const;
  if (schema.enum) return schema.enum[0];
  const part = (schema.anyOf || schema.oneOf || schema.allOf || [])[0];
  const type = [].concat(schema.type || []).find((t) => t !== 'null');
  if (!type && part) return example(part, doc, above);
  switch (type) {
    case 'object': return exampleObject(schema, doc, above);
    case 'array': return exampleArray(schema, doc, above);
    case 'string': return exampleText(schema);
    case 'integer': case 'number': return exampleNumber(schema, type === 'integer');
    case 'boolean': return true;
  }
  return null;
}

function exampleObject(schema, doc, above) {
  const o = {};
  for (const [k, s] of Object.entries(schema.properties || {})) {
    const v = example(s, doc, above);
    if (v !== null || (schema.required || []).includes(k)) o[k] = v;
  }
  if (schema.additionalProperties && !schema.properties) o.key = example(schema.additionalProperties, doc, above);
  return o;
}

function exampleArray(schema, doc, above) {
  if (Array.isArray(schema.items)) return schema.items.map((s) => example(s, doc, above));
  const item = example(schema.items, doc, above);
  return item === null ? [] : Array(Math.min(schema.minItems || 1, 5)).fill(item);
}

function exampleText(schema) {
  if (formats[schema.format]) return formats[schema.format];
  const text = schema.contentMediaType ? '' : 'text';
  return text.padEnd(Math.min(schema.minLength || 0, 100), 'x').slice(0, schema.maxLength);
}

function exampleNumber(schema, whole) {
  const step = schema.multipleOf || (whole ? 1 : 0.5);
  const low = schema.minimum ?? (schema.exclusiveMinimum != null ? schema.exclusiveMinimum + step : null);
  const high = schema.maximum ?? (schema.exclusiveMaximum != null ? schema.exclusiveMaximum - step : null);
  let n = schema.multipleOf || 1;
  if (low != null && n < low) n = Math.ceil(low / step) * step;
  if (high != null && n > high) n = high;
  return n;
}

const pretty = (v) => JSON.stringify(v, null, 2);

function limits(schema) {
  const { type, examples, ...rest } = schema || {};
  return [[].concat(type || 'any').join(' or '), ...Object.entries(rest).map(([k, v]) => k + ' ' + JSON.stringify(v))].join(', ');
}

// schemaBox shows an example, and the schema behind it.
function schemaBox(schema, doc) {
  const shown = el('details', { class: 'schema' }, el('summary', {}, 'Schema'));
  shown.append(el('pre', { tabindex: '0' }, pretty(outline(schema, doc))));
  return [el('pre', { tabindex: '0', class: 'example' }, pretty(example(schema, doc))), shown];
}

// copyButton copies the text of a pre; without a clipboard, as on plain HTTP, it selects it.
function copyButton(pre) {
  const button = el('button', { type: 'button', class: 'copy' }, 'Copy');
  button.addEventListener('click', async () => {
    try {
      await navigator.clipboard.writeText(pre.textContent);
      button.textContent = 'Copied';
    } catch {
      getSelection().selectAllChildren(pre);
      button.textContent = 'Selected';
    }
    setTimeout(() => { button.textContent = 'Copy'; }, 2000);
  });
  return button;
}

// labelled is a label around a field, with a hint behind its name.
function labelled(name, hint, field) {
  return el('label', {}, el('span', { class: 'name' }, name), hint ? el('span', { class: 'words' }, hint) : '', field);
}

function filter(main, words) {
  for (const d of main.querySelectorAll('section > details')) {
    d.hidden = !d.firstChild.textContent.toLowerCase().includes(words);
  }
  for (const s of main.querySelectorAll('section')) s.hidden = !s.querySelector(':scope > details:not([hidden])');
}

// show reads the document that main names, and has render fill main from it.
async function show(main, render) {
  try {
    const answer = await fetch(main.dataset.document);
    if (!answer.ok) throw new Error(answer.status + ' ' + answer.statusText);
    main.replaceChildren(...render(await answer.json()));
  } catch (e) {
    main.replaceChildren(el('p', { role: 'alert' }, 'The document cannot be read: ' + e.message));
  }
  const find = document.getElementById('find');
  find.addEventListener('input', () => filter(main, find.value.trim().toLowerCase()));
}
