"""Macula's Python SDK: call, serve, publish, subscribe and discover over one session.

It goes on when the network changes. Begin with `connect`; `macula.sync` has the same without `async`.
"""

from .call import StreamingCall
from .codec import Encoding
from .errors import Closed, ConnectError, HandlerError, Invalid, Lost
from .generated import errors as problems
from .generated.models import Event, Item
from .mesh import Connecting, Kind, Mesh, Status, connect
from .options import Http
from .problem import HandlerReport, MaculaError, Problem
from .queue import Gap
from .service import Context, Handler, Policy, Service
from .session import State
from .subscription import Subscription
from .transport.wire import Transport

__version__ = "0.1.0"

__all__ = [
    "Closed", "ConnectError", "Connecting", "Context", "Encoding", "Event", "Gap", "Handler", "HandlerError",
    "HandlerReport", "Http", "Invalid", "Item", "Kind", "Lost", "MaculaError", "Mesh", "Policy", "Problem", "Service",
    "State", "Status", "StreamingCall", "Subscription", "Transport", "connect", "problems",
]  # fmt: skip
