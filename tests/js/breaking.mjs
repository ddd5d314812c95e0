// Says what a client of the last release would no longer understand of the API as it is now, and fails unless
// that is declared.
//
// node breaking.mjs RELEASED CURRENT DECLARED
//
// DECLARED is a list of `{"change": "...", "why": "..."}`; `change` is a line as this program prints it. A declared
// change that is not there fails as well, so that the list is emptied with the release.
import { readFile } from 'node:fs/promises'
import { apiCompare } from 'api-smart-diff'

const read = async (path) => JSON.parse(await readFile(path, 'utf8'))
const [released, current, declared] = await Promise.all(process.argv.slice(2).map(read))

/** The same with the frames of live sessions as a request and its answer, so that their direction is known. */
function withFrames(spec) {
  const content = (name) => ({ 'application/msgpack': { schema: { $ref: `#/components/schemas/${name}` } } })
  const exchange = {
    requestBody: { required: true, content: content('ClientFrame') },
    responses: { 200: { description: 'What the gateway says.', content: content('GatewayFrame') } },
  }
  return { ...spec, paths: { ...spec.paths, '/frames': { post: exchange } } }
}

/** A request refuses members that it does not know, so one that has gone breaks who still sends it. */
const refused = ({ action, path }) =>
  action === 'remove' && path.includes('requestBody') && path.at(-2) === 'properties'

const { diffs } = apiCompare(withFrames(released), withFrames(current))
const found = diffs
  .filter((diff) => diff.type === 'breaking' || refused(diff))
  .map(({ action, path }) => `${action} ${path.join('/')}`)
const known = new Set(declared.map(({ change }) => change))
const undeclared = found.filter((change) => !known.has(change))
const gone = [...known].filter((change) => !found.includes(change))
for (const change of undeclared) console.log(`breaking, and not declared: ${change}`)
for (const change of gone) console.log(`declared, and not there: ${change}`)
console.log(`${diffs.length} changes since the release, ${found.length} breaking, ${known.size} declared`)
process.exit(undeclared.length + gone.length > 0 ? 1 : 0)
