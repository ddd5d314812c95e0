/**
 * A dashboard of all thermometers, on a terminal. It asks the one in the kitchen to hurry.
 *
 * tsx dashboard.ts https://localhost:4433 [READINGS]
 */
import { Mesh, type MeshEvent, Problem } from 'macula-client';
import { WebSocket } from 'ws';

type Home = {
  'home.kitchen.set_pause': { argument: number; result: number };
};
type Reading = { celsius: number };

const [gateway = 'https://localhost:4433', readings = '10'] = process.argv.slice(2);
const mesh = await Mesh.connect(gateway, { WebSocket, subject: 'dashboard' });
const home = mesh.realm<Home>();

console.log(`every ${await home.call('home.kitchen.set_pause', 0.1)} s`);
const refused = await home.call('home.kitchen.set_pause', 1_000).catch((error) => error);
if (refused instanceof Problem) console.log(`${refused.handler?.code}: ${refused.detail}`);

let left = Number(readings);
for await (const event of mesh.subscribe<Reading>('home.*.temperature')) {
  console.log(line(event));
  left -= 1;
  if (left === 0) break;
}
await mesh.close();

function line({ topic, publisher, payload }: MeshEvent<Reading>): string {
  const bar = '#'.repeat(Math.round(payload.celsius));
  return `${topic} by ${publisher}  ${payload.celsius.toFixed(1).padStart(5)} °C  ${bar}`;
}
