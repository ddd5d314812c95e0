import { ConnectError, problemOf } from '../errors.js';
import type { GatewayFrame, WelcomeFrame } from '../generated/types.js';

/** The welcome that a first frame is, or the error that stands in its place. */
export function welcomeOf(frame: GatewayFrame): WelcomeFrame {
  if (frame.type === 'welcome') return frame;
  if (frame.type === 'error') throw problemOf(frame.problem);
  throw new ConnectError(`expected \`welcome\`, found \`${frame.type}\``);
}
