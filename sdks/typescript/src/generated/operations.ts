// Made from openapi/openapi.json by `npm run generate`. Do not edit.

/** The method and the path of each operation. */
export const OPERATIONS = {
  call: { method: 'POST', path: '/v1/rpc/{realm}/{procedure}' },
  connect: { method: 'GET', path: '/v1/connect' },
  discover: { method: 'GET', path: '/v1/discover/{realm}/{pattern}' },
  endSession: { method: 'DELETE', path: '/v1/session' },
  explainError: { method: 'GET', path: '/v1/errors/{code}' },
  health: { method: 'GET', path: '/healthz' },
  issueTicket: { method: 'POST', path: '/v1/session/ticket' },
  metrics: { method: 'GET', path: '/metrics' },
  openSession: { method: 'POST', path: '/v1/session' },
  publish: { method: 'POST', path: '/v1/publish/{realm}/{topic}' },
  ready: { method: 'GET', path: '/readyz' },
  showSession: { method: 'GET', path: '/v1/session' },
  subscribe: { method: 'GET', path: '/v1/subscribe/{realm}/{pattern}' },
} as const;

/** What a name is: dotted segments. */
export const NAME = /^[A-Za-z0-9_~-]{1,64}(\.[A-Za-z0-9_~-]{1,64}){0,15}$/;

/** What a pattern is: a name in which a segment may be `*` and the last `**`. */
export const PATTERN = /^(([A-Za-z0-9_~-]{1,64}|\*)(\.([A-Za-z0-9_~-]{1,64}|\*)){0,15}|(([A-Za-z0-9_~-]{1,64}|\*)\.){0,15}\*\*)$/;

/** The most characters of a name or pattern. */
export const MAX_NAME = 255;

/** The shortest and the longest timeout of a call, in milliseconds. */
export const TIMEOUT_MS = [1, 600000] as const;
