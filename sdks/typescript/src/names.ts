import { Invalid } from './errors.js';
import { MAX_NAME, NAME, PATTERN } from './generated/operations.js';

/** The name of a realm, topic or procedure, if it can be one. */
export function checkName(what: string, name: string): string {
  return check(what, name, NAME);
}

/** A name in which a segment may be `*` and the last `**`. */
export function checkPattern(pattern: string): string {
  return check('pattern', pattern, PATTERN);
}

function check(what: string, name: string, grammar: RegExp): string {
  if (typeof name === 'string' && name.length <= MAX_NAME && grammar.test(name)) return name;
  throw new Invalid(`expected a ${what} of at most 16 segments of A–Z a–z 0–9 _ ~ - with dots between, found ${name}`);
}
