import type { CallOptions, StreamingCall } from './call.js';
import type { Context, ServeOptions, Service } from './service.js';

/**
 * What each procedure of a realm takes and gives: `{ 'demo.add': { argument: …; result: … } }`. The program
 * `macula-client types` writes such a map from the schemas of a live mesh.
 */
export type Procedures<M> = { [Name in keyof M]: { argument: unknown; result: unknown } };

/** A session whose calls and services have the types of a map. */
export interface Realm<M extends Procedures<M>> {
  call<N extends keyof M & string>(
    procedure: N,
    argument: M[N]['argument'],
    options?: CallOptions,
  ): Promise<M[N]['result']>;
  callStreaming<N extends keyof M & string, P = unknown>(
    procedure: N,
    argument: M[N]['argument'],
    options?: CallOptions,
  ): StreamingCall<M[N]['result'], P>;
  serve<N extends keyof M & string>(
    procedure: N,
    handler: (argument: M[N]['argument'], context: Context) => M[N]['result'] | Promise<M[N]['result']>,
    options?: ServeOptions,
  ): Promise<Service>;
}
