import { expect, test } from 'vitest';
import { typeOf, typesOf } from '../src/cli/types.js';

function check(schema: object | boolean | undefined, expected: string): void {
  expect(typeOf(schema as never)).toBe(expected);
}

test('each kind of schema has its type', () => {
  check({ type: 'string' }, 'string');
  check({ type: 'integer', minimum: 1 }, 'number');
  check({ type: ['string', 'null'] }, '(string | null)');
  check({ enum: ['a', 2, null] }, '("a" | 2 | null)');
  check({ const: 'a' }, '"a"');
  check({ type: 'array', items: { type: 'number' } }, 'Array<number>');
  check({ prefixItems: [{ type: 'number' }], items: false, type: 'array' }, '[number]');
  check({ type: 'array', prefixItems: [{ type: 'number' }] }, '[number, ...Array<unknown>]');
  check(
    { type: 'object', properties: { a: { type: 'number' }, 'b-c': true }, required: ['a'] },
    '{ "a": number; "b-c"?: unknown }',
  );
  check({ type: 'object', additionalProperties: { type: 'boolean' } }, 'Record<string, boolean>');
  check({ oneOf: [{ type: 'string' }, { type: 'string' }] }, 'string');
  check({ allOf: [{ type: 'string' }, { type: 'number' }] }, '(string) & (number)');
  check(false, 'never');
});

test('what is not known is unknown, and never too narrow', () => {
  check(true, 'unknown');
  check(undefined, 'unknown');
  check({ not: {} }, 'unknown');
  check({ anyOf: [{ type: 'string' }, {}] }, 'unknown');
  check({ $ref: 'https://elsewhere.example/schema' }, 'unknown');
});

test('references are followed, also those that go in circles', () => {
  check({ $ref: '#/$defs/a~1b', $defs: { 'a/b': { type: 'number' } } }, 'number');
  expect(typeOf({ $ref: '#' })).toBe('unknown');
});

test('a module has a row for each procedure', () => {
  const found_at = { level: 'cluster', node: 'n' };
  const items = [
    { kind: 'topic', name: 'a.topic', found_at },
    {
      kind: 'procedure',
      name: 'a.b',
      description: 'adds */',
      found_at,
      schema: { argument: { type: 'number' }, result: {} },
    },
  ];
  expect(typesOf('dev', items as never)).toBe(
    '/** The procedures of the realm dev, for `mesh.realm<Procedures>()`. */\nexport interface Procedures {\n' +
      '  /** adds * / */\n  "a.b": { argument: number; result: unknown };\n}\n',
  );
});
