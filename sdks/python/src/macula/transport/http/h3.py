"""Requests over HTTP/3, on `qh3`, which the extra `h3` installs."""

import contextlib
from typing import Any

from qh3.h3.events import DataReceived, GoawayReceived, H3Event, HeadersReceived
from qh3.quic.events import QuicEvent, StreamReset

from ...errors import ConnectError
from ...options import Config
from ..quic import Connection, open_connection
from .client import StreamAnswer, fields_of
from .request import Asked

CANCELLED = 0x10C
"""`H3_REQUEST_CANCELLED` (RFC 9114 §8.1)."""


async def open_h3(config: Config) -> "RequestConnection":
    """Connects, or raises `ConnectError`."""
    connection = await open_connection(config, RequestConnection, "HTTP/3")
    connection.authority = config.authority
    return connection


class RequestConnection(Connection):
    """A connection of HTTP/3 for requests."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.authority = ""
        self._answers: dict[int, StreamAnswer] = {}
        self._is_going = False

    @property
    def is_usable(self) -> bool:
        return not self._is_going and not self.ended.is_set()

    def takes(self, event: QuicEvent) -> bool:
        if isinstance(event, StreamReset) and event.stream_id in self._answers:
            self._answers.pop(event.stream_id).fail("the gateway has reset the stream")
        return False

    def heard(self, event: H3Event) -> None:
        if isinstance(event, GoawayReceived):
            # What is under way may go on to its end.
            self._is_going = True
        if not isinstance(event, (HeadersReceived, DataReceived)):
            return
        answer = self._answers.get(event.stream_id)
        if answer is None:
            return
        if isinstance(event, HeadersReceived):
            answer.begins({name.decode(): value.decode() for name, value in event.headers})
        else:
            answer.goes_on(event.data)
        if event.stream_ended:
            del self._answers[event.stream_id]
            answer.ends()

    def was_ended(self) -> None:
        answers, self._answers = self._answers, {}
        for answer in answers.values():
            answer.fail(self.why)

    async def send(self, asked: Asked, token: str | None) -> StreamAnswer:
        if not self.is_usable:
            raise ConnectError("HTTP/3: the connection is lost")
        number = self._quic.get_next_available_stream_id()
        answer = self._answers[number] = StreamAnswer(lambda: self._give_up(number))
        fields = [(name.encode(), value.encode()) for name, value in fields_of(asked, token, self.authority)]
        self.http.send_headers(number, fields, end_stream=asked.body is None)
        if asked.body is not None:
            self.http.send_data(number, asked.body, end_stream=True)
        self.flush()
        await answer.head()
        return answer

    def _give_up(self, number: int) -> None:
        self._answers.pop(number, None)
        if self.ended.is_set():
            return
        for act in (self._quic.reset_stream, self._quic.stop_stream):
            # A half that is over already cannot be given up.
            with contextlib.suppress(Exception):
                act(number, CANCELLED)
        self.flush()
