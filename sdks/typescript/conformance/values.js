// What the cases' JSON stands for, and whether what came is that.

/** The value with bytes and integers of 64 bits in it. */
export function read(json) {
  if (typeof json !== 'object' || json === null) return json;
  if (Array.isArray(json)) return json.map(read);
  if ('$bytes' in json) return Uint8Array.from(atob(json.$bytes), (unit) => unit.charCodeAt(0));
  if ('$int' in json) return BigInt(json.$int);
  return Object.fromEntries(Object.entries(json).map(([key, value]) => [key, read(value)]));
}

/** Whether two values are the same, numbers by value. */
export function same(expected, found) {
  if (isNumber(expected) && isNumber(found)) return !(expected < found) && !(expected > found);
  if (typeof expected !== 'object' || typeof found !== 'object' || !expected || !found) return expected === found;
  if (expected instanceof Uint8Array || found instanceof Uint8Array) {
    return expected.constructor === found.constructor && String(expected) === String(found);
  }
  if (Array.isArray(expected) !== Array.isArray(found)) return false;
  return Object.keys(expected).length === Object.keys(found).length && includes(expected, found);
}

/** Whether all members that are named are there, and the same. */
export function includes(expected, found) {
  return Object.entries(expected).every(([key, value]) => same(value, found[key]));
}

const isNumber = (value) => typeof value === 'number' || typeof value === 'bigint';

export function told(value) {
  return JSON.stringify(value, (_, member) => {
    if (typeof member === 'bigint') return `${member}n`;
    return member instanceof Uint8Array ? `bytes ${member}` : member;
  });
}
