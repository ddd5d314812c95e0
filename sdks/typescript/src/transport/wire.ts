import type { Ending, Operation } from '../book.js';
import type { ClientFrame, GatewayFrame, HelloFrame, WelcomeFrame } from '../generated/types.js';
import type { TransportName } from '../options.js';

/** An open transport: what a session says frames on. */
export interface Wire {
  readonly transport: TransportName;
  /** Whether so much waits to be written that what is only news is better left out. */
  readonly congested: boolean;
  /** Begins or resumes a session: comes first, once. A refusal is a `Problem`, silence a `ConnectError`. */
  hello(frame: Hello): Promise<WelcomeFrame>;
  /** From now on, and from the moment of the welcome, the listener hears what the gateway says. */
  listen(listener: Listener): void;
  /** Begins an operation. */
  send(operation: Operation): void;
  /** Ends one. */
  giveUp(ending: Ending): void;
  /** Says a frame that begins nothing. */
  say(frame: ClientFrame): void;
  /** Ends the session at the gateway; waits until it has been told, or cannot be. */
  close(): Promise<void>;
  /** Leaves it as it is: it is of no use any more. */
  abandon(): void;
}

export type Hello = Extract<ClientFrame, { type: 'hello' }> & HelloFrame;

/** Who hears what is said on a wire. */
export interface Listener {
  /** A frame; answers to it, if any, go to the channel. */
  heard(frame: GatewayFrame, channel: Channel): void;
  /** An operation was refused before it began, and is to be said again. */
  notSent(id: number): void;
  /** The transport is lost, if it did not end by `close` or `abandon`. After so many seconds it may be there again. */
  lost(retryAfter?: number): void;
}

/** Where the answer to an invocation goes. */
export interface Channel {
  say(frame: ClientFrame): void;
  /** Says the last frame; true when it is certain that the gateway has it. */
  finish(frame: ClientFrame): Promise<boolean>;
  /** Tells when the gateway gives the invocation up, as far as the channel can know. */
  onGivenUp?(listener: () => void): void;
}

/** For frames that nothing is answered to. */
export const NO_CHANNEL: Channel = { say: () => {}, finish: async () => false };

/** How long to connect, and how long to be welcomed, in ms. */
export const OPEN_MS = 10_000;
/** How long the gateway may take to hear that the session has ended, in ms. */
export const FAREWELL_MS = 1_000;
/** Bytes that wait to be written until a wire counts as congested. */
export const CONGESTED_BYTES = 1 << 20;
