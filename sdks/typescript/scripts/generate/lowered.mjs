/** The same spec in OpenAPI 3.1: generators read 3.2's `itemSchema`, one item of a stream, as unknown. */
export function lowered(spec) {
  const lower = (node) => {
    if (Array.isArray(node)) return node.map(lower);
    if (typeof node !== 'object' || node === null) return node;
    const members = Object.entries(node).map(([name, value]) => [name, lower(value)]);
    const { itemSchema, ...rest } = Object.fromEntries(members);
    return itemSchema === undefined ? rest : { schema: itemSchema, ...rest };
  };
  return { ...lower(spec), openapi: '3.1.1' };
}
