/**
 * Macula's client: call, serve, publish, subscribe and discover over one session, which goes on when the network
 * changes.
 *
 * - `mesh`: what may be asked of the mesh; `call`, `subscription`, `service`: each kind of it. `typed`: with types.
 * - `session`: what is under way, by `book`, which decides what goes on after a loss; `supervisor` connects again.
 * - `transport`: WebTransport, WebSocket, and requests with Server-Sent Events; `codec`: MessagePack and JSON.
 */
export { type CallOptions, StreamingCall } from './call.js';
export type { Encoding } from './codec/codec.js';
export { Extension, type Integers } from './codec/values.js';
export { MaculaError } from './error.js';
export { Closed, ConnectError, HandlerError, Invalid, Lost } from './errors.js';
export {
  Draining,
  Forbidden,
  HandlerFailed,
  IdempotencyInFlight,
  IdempotencyMismatch,
  Internal,
  InvalidName,
  InvalidPayload,
  InvalidRequest,
  MethodNotAllowed,
  NotAcceptable,
  NotFound,
  Overloaded,
  PayloadTooLarge,
  ProcedureNotFound,
  ProviderUnavailable,
  RateLimited,
  SessionExpired,
  Timeout,
  TooEarly,
  Unauthenticated,
  UnsupportedMediaType,
} from './generated/errors.js';
export type { Item } from './generated/types.js';
export { type DiscoverOptions, Mesh, type PublishOptions, type Status } from './mesh.js';
export type { ConnectOptions, TransportName, WebSocketLike } from './options.js';
export { type HandlerReport, Problem, type Report } from './problem.js';
export type { Delivery, Gap, GapReason } from './queue.js';
export { type Context, type Handler, type ServeOptions, Service } from './service.js';
export type { State } from './session.js';
export { type MeshEvent, type SubscribeOptions, Subscription } from './subscription.js';
export type { Procedures, Realm } from './typed.js';
