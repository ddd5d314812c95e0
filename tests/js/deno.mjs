// Deno's WebTransport: serves a procedure and reads events, and prints a line of JSON for each that it sees.
//
// deno run --unstable-net --allow-net deno.mjs NODE_URL CERTIFICATE_SHA256
import { live } from './live.js';

const [node, hash] = Deno.args;
const print = (seen) => console.log(JSON.stringify(seen));
await live(node, hash, {
  services: { 'deno.add': ({ a, b }) => a + b },
  patterns: ['deno.**'],
  status: (status) => print({ status }),
  event: ({ topic, payload }) => print({ topic, payload }),
  gap: (gap) => print({ gap }),
  invoked: (procedure, _, result) => print({ procedure, result }),
});
