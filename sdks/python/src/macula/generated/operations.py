"""The operations of the HTTP API, and the grammar of names.

Made from openapi/openapi.json by scripts/generate.py. Do not edit.
"""

OPERATIONS = {
    "call": ("POST", "/v1/rpc/{realm}/{procedure}"),
    "connect": ("GET", "/v1/connect"),
    "discover": ("GET", "/v1/discover/{realm}/{pattern}"),
    "endSession": ("DELETE", "/v1/session"),
    "explainError": ("GET", "/v1/errors/{code}"),
    "health": ("GET", "/healthz"),
    "issueTicket": ("POST", "/v1/session/ticket"),
    "metrics": ("GET", "/metrics"),
    "openSession": ("POST", "/v1/session"),
    "publish": ("POST", "/v1/publish/{realm}/{topic}"),
    "ready": ("GET", "/readyz"),
    "showSession": ("GET", "/v1/session"),
    "subscribe": ("GET", "/v1/subscribe/{realm}/{pattern}"),
}
"""The method and the path of each operation."""

NAME = r"^[A-Za-z0-9_~-]{1,64}(\.[A-Za-z0-9_~-]{1,64}){0,15}$"
"""What a name is: dotted segments."""

PATTERN = r"^(([A-Za-z0-9_~-]{1,64}|\*)(\.([A-Za-z0-9_~-]{1,64}|\*)){0,15}|(([A-Za-z0-9_~-]{1,64}|\*)\.){0,15}\*\*)$"
"""What a pattern is: a name in which a segment may be `*` and the last `**`."""

MAX_NAME = 255
"""The most characters of a name or pattern."""

TIMEOUT_MS = (1, 600000)
"""The shortest and the longest timeout of a call, in milliseconds."""
