// Runs cases in a page of Chromium.
import fs from 'node:fs/promises';
import http from 'node:http';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { isFor } from './applies.js';

const here = fileURLToPath(new URL('..', import.meta.url));
const FLAGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];
const PAGE = `<!doctype html><title>conformance</title>
<script type="importmap">{"imports": {"eventsource-parser": "/node_modules/eventsource-parser/dist/index.js"}}</script>
<script type="module" src="/conformance/page.js"></script>`;

/** Serves the package to the browser. */
async function pages() {
  const server = http.createServer(async (request, response) => {
    const file = path.join(here, path.normalize(decodeURI(request.url)));
    const body = request.url === '/' ? PAGE : await fs.readFile(file).catch(() => undefined);
    const type = request.url === '/' ? 'text/html' : 'text/javascript';
    response.writeHead(body === undefined ? 404 : 200, { 'content-type': type }).end(body);
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  return { url: `http://127.0.0.1:${server.address().port}/`, close: () => server.close() };
}

/**
 * Runs each case in a page of its own, a few at a time: Chromium's renderer crashes now and then after it has lost many
 * WebTransport sessions.
 */
export async function inChromium(transport, { cases, control, jobs }, spki, tell) {
  const served = await pages();
  const args = [...FLAGS, `--ignore-certificate-errors-spki-list=${spki}`];
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args });
  const left = cases.filter((found) => isFor(found, transport));
  const job = async () => {
    for (let found = left.shift(); found; found = left.shift())
      await inPage(browser, served.url, transport, found, control, tell);
  };
  try {
    await Promise.all(Array.from({ length: jobs }, job));
  } finally {
    await browser.close();
    served.close();
  }
}

async function inPage(browser, url, transport, found, control, tell) {
  const context = await browser.newContext();
  try {
    const page = await context.newPage();
    page.on('pageerror', (error) => console.log(`       the page: ${error.stack}`));
    await page.exposeFunction('tell', tell);
    await page.goto(url);
    await page.waitForFunction(() => 'runAll' in window);
    await page.evaluate(
      ([cases, given]) => window.runAll(cases, given, window.tell),
      [[found], { control, transport, options: {}, jobs: 1 }],
    );
  } catch (error) {
    tell({ case: found.number, name: found.name, transport, passed: false, error: String(error) });
  } finally {
    await context.close();
  }
}
