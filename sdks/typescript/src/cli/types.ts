/** Types of TypeScript from JSON Schemas. */
import type { Item } from '../generated/types.js';

/** How deep a schema is followed; what lies deeper is `unknown`. */
const MAX_DEPTH = 32;

type Schema = boolean | { readonly [keyword: string]: unknown };

/** The map of a realm's procedures, as a module. Where there is no schema a value is `unknown`. */
export function typesOf(realm: string, items: readonly Item[]): string {
  const procedures = items.filter(({ kind }) => kind === 'procedure');
  const rows = procedures.map(({ name, description, schema }) => {
    const doc = description ? `  /** ${description.replaceAll('*/', '* /').replaceAll('\n', ' ')} */\n` : '';
    const argument = typeOf(schema?.argument as Schema | undefined);
    const result = typeOf(schema?.result as Schema | undefined);
    return `${doc}  ${JSON.stringify(name)}: { argument: ${argument}; result: ${result} };\n`;
  });
  return `/** The procedures of the realm ${realm}, for \`mesh.realm<Procedures>()\`. */\nexport interface Procedures {\n${rows.join('')}}\n`;
}

/** The type of the values that a schema takes; `unknown` for what this does not know, never too narrow. */
export function typeOf(schema: Schema | undefined, root: Schema | undefined = schema, depth = 0): string {
  if (schema === false) return 'never';
  if (typeof schema !== 'object' || depth > MAX_DEPTH) return 'unknown';
  const inner = (part: unknown) => typeOf(part as Schema | undefined, root, depth + 1);
  const { $ref, const: constant, enum: options, anyOf, oneOf, allOf, type } = schema;
  if (typeof $ref === 'string') return inner(pointed(root, $ref));
  if ('const' in schema) return literal(constant);
  if (Array.isArray(options)) return union(options.map(literal));
  const some = anyOf ?? oneOf;
  if (Array.isArray(some)) return union(some.map(inner));
  if (Array.isArray(allOf)) return allOf.map((part) => `(${inner(part)})`).join(' & ') || 'unknown';
  if (Array.isArray(type)) return union(type.map((one) => inner({ ...schema, type: one })));
  switch (type) {
    case 'string':
    case 'boolean':
    case 'null':
      return type;
    case 'number':
    case 'integer':
      return 'number';
    case 'array':
      return listOf(schema, inner);
    case 'object':
      return objectOf(schema, inner);
    default:
      return 'properties' in schema ? objectOf(schema, inner) : 'unknown';
  }
}

function listOf(schema: { readonly [keyword: string]: unknown }, inner: (part: unknown) => string): string {
  const { prefixItems, items } = schema;
  if (!Array.isArray(prefixItems)) return `Array<${inner(items)}>`;
  const rest = items === false ? '' : `, ...Array<${inner(items)}>`;
  return `[${prefixItems.map(inner).join(', ')}${rest}]`;
}

function objectOf(schema: { readonly [keyword: string]: unknown }, inner: (part: unknown) => string): string {
  const { properties = {}, required, additionalProperties } = schema;
  const needed = new Set(Array.isArray(required) ? required : []);
  const members = Object.entries(properties as object).map(([name, part]) => {
    return `${JSON.stringify(name)}${needed.has(name) ? '' : '?'}: ${inner(part)}`;
  });
  if (members.length > 0) return `{ ${members.join('; ')} }`;
  return additionalProperties === false ? 'Record<string, never>' : `Record<string, ${inner(additionalProperties)}>`;
}

function union(types: readonly string[]): string {
  const all = [...new Set(types)];
  if (all.includes('unknown')) return 'unknown';
  return all.length === 1 ? (all[0] as string) : `(${all.join(' | ')})`;
}

/** The type of one value. */
function literal(value: unknown): string {
  return typeof value === 'object' && value !== null ? 'unknown' : JSON.stringify(value);
}

/** The part of a schema that a reference within it points at (RFC 6901). */
function pointed(root: Schema | undefined, reference: string): Schema | undefined {
  if (!reference.startsWith('#')) return undefined;
  const keys = decodeURIComponent(reference.slice(1)).split('/').slice(1);
  const unescaped = keys.map((key) => key.replaceAll('~1', '/').replaceAll('~0', '~'));
  return unescaped.reduce<unknown>((part, key) => (part as Record<string, unknown> | undefined)?.[key], root) as Schema;
}
