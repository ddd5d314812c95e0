import { ConnectError, problemOf } from '../errors.js';
import type { GatewayFrame, WelcomeFrame } from '../generated/types.js';
import type { Problem } from '../problem.js';

/** The welcome that a first frame is, or the error that stands in its place. */
export function welcomeOf(frame: GatewayFrame): WelcomeFrame {
  if (frame.type === 'welcome') return frame;
  if (frame.type === 'error') throw problemOf(frame.problem);
  throw new ConnectError(`expected \`welcome\`, found \`${frame.type}\``);
}

/** The problem that a gateway closes with: 4000 plus its status, and its code as the reason. */
export function problemOfClose(closeCode: number, reason: string): Problem | undefined {
  const status = closeCode - 4_000;
  if (status < 400 || status > 599 || reason === '') return undefined;
  const retry = status < 500 && status !== 429 ? 'never' : 'later';
  return problemOf({ code: reason, status, retry, detail: 'the gateway has closed the session' });
}
