/** Values in JSON: bytes, extensions and integers of 64 bits have forms of their own there (docs/PROTOCOL.md). */
import { Invalid } from '../errors.js';
import { fromBase64, toBase64 } from './base64.js';
import {
  bytesOf,
  checked,
  Extension,
  type Integers,
  integer,
  MAX_DEPTH,
  plain,
  setMember,
  tooDeep,
  unwritable,
} from './values.js';

/** Stands before an integer while JSON is parsed. No text of the gateway's has half a surrogate pair. */
const MARK = '\udfff';
/** A whole text, or a number. */
const TOKENS = /"(?:[^"\\]+|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;
const LONG_INTEGER = /^-?\d{16,}$/;

/** The value as JSON. Members that are `undefined` are left out. */
export function writeJson(value: unknown, depth = 0): string {
  switch (typeof value) {
    case 'string':
      return JSON.stringify(value);
    case 'boolean':
      return String(value);
    case 'number':
      if (!Number.isFinite(value)) throw new Invalid('expected a finite number: JSON has no other');
      return Object.is(value, -0) ? '-0.0' : String(value);
    case 'bigint':
      return String(checked(value));
    case 'undefined':
      return 'null';
    case 'object':
      return value === null ? 'null' : writeObject(value, depth);
    default:
      throw unwritable(value);
  }
}

function writeObject(value: object, depth: number): string {
  if (depth >= MAX_DEPTH) throw tooDeep();
  if (Array.isArray(value)) return `[${value.map((item) => writeJson(item, depth + 1)).join(',')}]`;
  const bytes = bytesOf(value);
  if (bytes) return `{"$bytes":"${toBase64(bytes)}"}`;
  if (value instanceof Extension) return `{"$ext":{"type":${value.type},"data":"${toBase64(value.data)}"}}`;
  const said = plain(value);
  if (said !== value) return writeJson(said, depth + 1);
  const entries =
    value instanceof Map ? [...value] : Object.entries(value).filter(([, member]) => member !== undefined);
  const dollar = entries.length === 1 && looksReserved(entries[0]?.[0], entries[0]?.[1]) ? '$' : '';
  const members = entries.map(([key, member]) => {
    if (typeof key !== 'string') throw new Invalid('expected keys that are text: JSON has no others');
    return `${JSON.stringify(dollar + key)}:${writeJson(member, depth + 1)}`;
  });
  return `{${members.join(',')}}`;
}

/** What JSON says, with the forms still in it; `restored` gives what they stand for. */
export function parseJson(text: string, integers: Integers): unknown {
  if (integers === 'number' || !/\d{16}/.test(text)) return JSON.parse(text);
  const marked = text.replace(TOKENS, (token) => (LONG_INTEGER.test(token) ? `"${MARK}${token}"` : token));
  return JSON.parse(marked, (_, value) =>
    typeof value === 'string' && value.startsWith(MARK) ? integer(BigInt(value.slice(1)), integers) : value,
  );
}

/** The value with bytes and extensions in place of what stands for them in JSON. */
export function restored(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(restored);
  const keys = Object.keys(value);
  const object = value as Record<string, unknown>;
  if (keys.length === 1) {
    const key = keys[0] as string;
    const form = reserved(key, object[key]);
    if (form !== undefined) return form;
    if (looksReserved(key, object[key])) return { [key.slice(1)]: restored(object[key]) };
  }
  const members = {};
  for (const key of keys) setMember(members, key, restored(object[key]));
  return members;
}

/** What `{"$bytes": …}` or `{"$ext": …}` stands for. */
function reserved(key: string, value: unknown): Uint8Array | Extension | undefined {
  if (key === '$bytes') return typeof value === 'string' ? fromBase64(value) : undefined;
  if (key !== '$ext' || typeof value !== 'object' || value === null) return undefined;
  const { type, data } = value as { type?: unknown; data?: unknown };
  const known = Object.keys(value).length === 2 && Number.isInteger(type) && Math.abs((type as number) + 0.5) < 128;
  const bytes = known && typeof data === 'string' ? fromBase64(data) : undefined;
  return bytes && new Extension(type as number, bytes);
}

/** Whether a map with this one member would be taken for a form, escaped or not. */
function looksReserved(key: unknown, value: unknown): boolean {
  if (typeof key !== 'string') return false;
  const form = /^\$+(bytes|ext)$/.exec(key);
  return form !== null && reserved(`$${form[1]}`, value) !== undefined;
}
