// Runs cases on one transport, a few at a time.
import { isFor } from './applies.js';
import { run } from './case.js';

/** Runs those that are for the transport, and tells each result: `{case, name, transport, passed, error}`. */
export async function runAll(cases, { control, transport, options, jobs, attempts = 1 }, tell) {
  const left = cases.filter((found) => isFor(found, transport));
  const job = async () => {
    for (let found = left.shift(); found; found = left.shift()) {
      const started = Date.now();
      let error;
      for (let attempt = 1; attempt <= attempts; attempt += 1) {
        if (error) console.error(`case ${found.number} once more: ${error}`);
        error = await run(found, { control, transport, options }).then(
          () => undefined,
          (error) => String(error.stack ?? error),
        );
        if (!error) break;
      }
      const passed = error === undefined;
      tell({
        case: found.number,
        name: found.name,
        transport,
        passed,
        ms: Date.now() - started,
        ...(error && { error }),
      });
    }
  };
  await Promise.all(Array.from({ length: jobs }, job));
}
