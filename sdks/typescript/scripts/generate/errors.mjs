/** A class for each error code of the contract, in the order of the spec, and a table of them. */
export function errors(spec) {
  const codes = spec.components.schemas.ErrorCode['x-extensible-enum'];
  const found = meanings(spec);
  const classes = codes.map((code) => {
    const { status, meaning } = found.get(code) ?? {};
    const doc = status ? `${meaning} Status ${status}.` : 'Told by the gateway.';
    return `/** \`${code}\`: ${doc} */\nexport class ${named(code)} extends Problem {}\n`;
  });
  const rows = codes.map((code) => `  ${code}: ${named(code)},\n`);
  return [
    `import { Problem } from '../problem.js';\n\n`,
    `${classes.join('\n')}\n`,
    `/** The class of each code. */\nexport const PROBLEMS = {\n${rows.join('')}};\n`,
  ].join('');
}

/** What each code means, and its status: the descriptions of answers say both. */
function meanings(spec) {
  const found = new Map();
  for (const methods of Object.values(spec.paths)) {
    for (const operation of Object.values(methods)) {
      for (const [status, { description }] of Object.entries(operation.responses ?? {})) {
        for (const [, code, meaning] of description.matchAll(/^`([a-z_]+)`: (.*)$/gm)) {
          found.set(code, { status, meaning });
        }
      }
    }
  }
  return found;
}

const named = (code) => code.replace(/(?:^|_)([a-z])/g, (_, letter) => letter.toUpperCase());
