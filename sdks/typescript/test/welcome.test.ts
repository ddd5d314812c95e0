import { expect, test } from 'vitest';
import { Draining, Unauthenticated } from '../src/index.js';
import { problemOfClose } from '../src/transport/welcome.js';

test('the code that a gateway closes with is a problem', () => {
  const refused = problemOfClose(4401, 'unauthenticated');
  expect(refused).toBeInstanceOf(Unauthenticated);
  expect(refused).toMatchObject({ status: 401, retry: 'never' });
  expect(problemOfClose(4503, 'draining')).toBeInstanceOf(Draining);
  expect(problemOfClose(4503, 'draining')).toMatchObject({ retry: 'later' });
  for (const code of [0, 1000, 4000, 4399, 4600]) expect(problemOfClose(code, 'x')).toBeUndefined();
});
