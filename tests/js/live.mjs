// A tab in Chromium serves a procedure and reads events over WebTransport; curl calls and publishes; then
// UDP is cut, and the tab goes on over WebSocket. Prints one JSON document of what was seen.
//
// node live.mjs NODE_URL PAGE_URL CA_FILE CERTIFICATE_SHA256 SPKI_HASH SCREENSHOT
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { chromium } from 'playwright-core';
import { relay } from './relay.mjs';

const [node, page_url, ca, hash, spki, screenshot] = process.argv.slice(2);
const run = promisify(execFile);
const curl = async (path, body) => {
  const { stdout } = await run('curl', [
    '-sS', '--fail-with-body', '--http2', '--cacert', ca, '--json', JSON.stringify(body),
    '-w', '\n%{http_version}', node + path,
  ]);
  const [answer, version] = stdout.split('\n');
  return { answer: JSON.parse(answer), version };
};
const network = await relay(Number(new URL(node).port));
const browser = await chromium.launch({
  executablePath: '/usr/bin/chromium',
  args: [
    '--headless', '--no-sandbox', '--disable-gpu', '--no-first-run',
    '--disable-background-networking', '--disable-component-update', '--disable-sync',
    // For the WebSocket: WebTransport takes the hash of the certificate from the page.
    `--ignore-certificate-errors-spki-list=${spki}`,
  ],
});
try {
  const page = await browser.newPage();
  const errors = [];
  page.on('pageerror', (error) => errors.push(String(error)));
  page.on('console', (message) => message.type() === 'error' && console.error(message.text()));
  const items = (list) => page.$$eval(`${list} li`, (all) => all.map((item) => item.textContent));
  const events = (count) => page.waitForFunction(
    (wanted) => document.querySelectorAll('#events li').length >= wanted, count);
  const status = (wanted) => page.waitForFunction(
    (text) => document.querySelector('#status').textContent === text, wanted);
  await page.goto(`${page_url}?node=https://127.0.0.1:${network.port}&hash=${hash}`);
  await status('WebTransport');
  // It serves as soon as the gateway has taken it.
  let sum;
  for (let tries = 0; tries < 100 && sum === undefined; tries += 1) {
    sum = await curl('/v1/rpc/dev/demo.add', { a: 2, b: 3 }).catch(() => undefined);
  }
  let number = 0;
  const publish = async (count) => {
    for (const last = number + count; number < last; number += 1) await curl('/v1/publish/dev/demo.clock', number);
  };
  await publish(5);
  await events(5);
  await page.screenshot({ path: `${screenshot}-webtransport.png` });
  network.cutUdp();
  await publish(20);
  await status('WebSocket, resumed');
  await publish(5);
  await events(30);
  const sum_after = await curl('/v1/rpc/dev/demo.add', { a: 20, b: 22 });
  await page.screenshot({ path: `${screenshot}-websocket.png` });
  const seen = { events: await items('#events'), calls: await items('#calls') };
  console.log(JSON.stringify({ ...seen, sum, sum_after, errors }));
} finally {
  await browser.close();
  network.close();
}
