// Runs cases in a page of Chromium.
import fs from 'node:fs/promises';
import http from 'node:http';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

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

export async function inChromium(transport, input, spki, tell) {
  const served = await pages();
  const args = [...FLAGS, `--ignore-certificate-errors-spki-list=${spki}`];
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args });
  try {
    const page = await browser.newPage();
    page.on('pageerror', (error) => console.log(`       the page: ${error.stack}`));
    await page.exposeFunction('tell', tell);
    await page.goto(served.url);
    await page.waitForFunction(() => 'runAll' in window);
    await page.evaluate(
      ([{ cases, ...given }, on]) => window.runAll(cases, { ...given, transport: on, options: {} }, window.tell),
      [input, transport],
    );
  } finally {
    await browser.close();
    served.close();
  }
}
