/** What a client has to know of the HTTP API: the way to each operation, and the grammar of names. */
export function operations(spec) {
  const rows = [];
  for (const [path, methods] of Object.entries(spec.paths)) {
    for (const [method, { operationId }] of Object.entries(methods)) {
      if (operationId) rows.push(`  ${operationId}: { method: '${method.toUpperCase()}', path: '${path}' },\n`);
    }
  }
  const { Name, Pattern } = spec.components.schemas;
  const call = spec.paths['/v1/rpc/{realm}/{procedure}'].post;
  const timeout = call.parameters.find(({ name }) => name === 'timeout_ms').schema;
  return [
    `/** The method and the path of each operation. */\n`,
    `export const OPERATIONS = {\n${rows.sort().join('')}} as const;\n\n`,
    `/** What a name is: dotted segments. */\nexport const NAME = ${regex(Name)};\n\n`,
    `/** What a pattern is: a name in which a segment may be \`*\` and the last \`**\`. */\n`,
    `export const PATTERN = ${regex(Pattern)};\n\n`,
    `/** The most characters of a name or pattern. */\nexport const MAX_NAME = ${Name.maxLength};\n\n`,
    `/** The shortest and the longest timeout of a call, in milliseconds. */\n`,
    `export const TIMEOUT_MS = [${timeout.minimum}, ${timeout.maximum}] as const;\n`,
  ].join('');
}

const regex = ({ pattern }) => new RegExp(pattern).toString();
