"""A session without a live transport: requests, and streams of events. It outlives the wires that it is used on."""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from typing import Any

import msgspec

from ...book import Operation
from ...codec import Codec, decode_payload
from ...errors import ConnectError, own_problem, problem_of
from ...generated.models import (
    CallResultFrame,
    DiscoveredFrame,
    DiscoverFrame,
    ErrorFrame,
    GatewayFrame,
    Opened,
    Page,
    PublishedFrame,
    PublishFrame,
    Receipt,
    ServeFrame,
    SessionInfo,
    SubscribeFrame,
)
from ...options import Config, Http
from ...problem import MaculaError, Problem
from ..race import race
from ..wire import Aside, Listener
from .client import Answer, Client, KeptClient, body_of
from .events import EventParser, frame_of
from .h1 import H1Client
from .h2 import open_h2
from .request import EVENT_STREAM, Asked, ask, request_of

JSON = {"content-type": "application/json", "accept": "application/json"}


class HttpSession:
    """The state of such a session: who we are, and what is in flight."""

    def __init__(self, config: Config, codec: Codec, versions: tuple[Http, ...]) -> None:
        self.info: SessionInfo | None = None
        self.token: str | None = None
        self.listener: Listener | None = None
        self._config = config
        self._codec = codec
        self._versions = versions
        self._client: Client | None = None
        self._in_flight: dict[int, asyncio.Task[None]] = {}
        # Nothing answers an invocation here, as there are none.
        self._channel = Aside(lambda _: None)
        self._leaving: set[asyncio.Task[Any]] = set()

    async def open(self, token: str | None, realm: str | None, subject: str | None) -> SessionInfo:
        """Shows the session of the token, or opens one."""
        self.token = token
        if token is not None:
            shown = await self._answer(ask("showSession", headers={"accept": "application/json"}))
            self.info = msgspec.json.decode(shown, type=SessionInfo)
            return self.info
        asked = {name: value for name, value in (("realm", realm), ("subject", subject)) if value}
        body = msgspec.json.encode(asked)
        opened = msgspec.json.decode(await self._answer(ask("openSession", headers=JSON, body=body)), type=Opened)
        self.token = opened.token
        self.info = opened
        return opened

    async def connect(self) -> None:
        """Finds the first version of HTTP on which the gateway answers, if none is in use."""
        if self._client is not None:
            await self.probe()
            return
        probed = await race(self._versions, self._probed)
        self._client = probed.client

    async def _probed(self, version: Http) -> "Probed":
        probed = Probed(_client(self._config, version), self._beside)
        try:
            await self._answer(ask("health", headers={"accept": "*/*"}), probed.client)
        except BaseException:
            probed.abandon()
            raise
        return probed

    async def probe(self) -> None:
        """Whether the gateway answers at all."""
        await self._answer(ask("health", headers={"accept": "*/*"}))

    async def _answer(self, asked: Asked, client: Client | None = None) -> bytes:
        """Asks, and gives the body of a good answer."""
        client = client or self._client
        if client is None:
            raise ConnectError("HTTP: not connected")
        answer = await client.send(asked, self.token)
        body = await body_of(answer)
        if answer.status >= 400:
            raise problem_in(answer, body)
        return body

    def has(self, number: int) -> bool:
        """Whether an operation waits for an answer, or is a stream that goes on."""
        return number in self._in_flight

    def begin(self, operation: Operation) -> None:
        """Makes the request of an operation."""
        if isinstance(operation.frame, ServeFrame):
            self._fail(operation.id, own_problem("invalid_request", 400, "never", "nothing can be served on SSE"))
            return
        task = asyncio.get_running_loop().create_task(self._run(operation))
        self._in_flight[operation.id] = task

    def give_up(self, number: int) -> None:
        """Ends one."""
        task = self._in_flight.pop(number, None)
        if task is not None:
            task.cancel()

    def give_up_all(self) -> None:
        """Ends all, and whatever they are on."""
        for number in list(self._in_flight):
            self.give_up(number)
        client, self._client = self._client, None
        if client is not None:
            self._beside(client.close())

    def _beside(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)

    async def _run(self, operation: Operation) -> None:
        number = operation.id
        try:
            await self._converse(operation)
        except (MaculaError, msgspec.MsgspecError) as error:
            if self._in_flight.pop(number, None) is not None:
                self._failed(operation, error)
        else:
            self._in_flight.pop(number, None)

    async def _converse(self, operation: Operation) -> None:
        number, frame = operation.id, operation.frame
        if self._client is None:
            raise ConnectError("HTTP: not connected")
        realm = self.info.realm if self.info else self._config.realm
        answer = await self._client.send(request_of(frame, realm, self._codec), self.token)
        try:
            if answer.status >= 400:
                raise problem_in(answer, await body_of(answer))
            media_type = answer.headers.get("content-type", "")
            if media_type.startswith(EVENT_STREAM):
                await self._stream(number, isinstance(frame, SubscribeFrame), answer)
                return
            body = await body_of(answer)
        finally:
            await answer.close()
        if isinstance(frame, PublishFrame):
            receipt = msgspec.json.decode(body, type=Receipt)
            self._hear(PublishedFrame(id=number, event_id=receipt.id))
        elif isinstance(frame, DiscoverFrame):
            self._hear(DiscoveredFrame(id=number, page=msgspec.json.decode(body, type=Page)))
        else:
            self._hear(CallResultFrame(id=number, payload=decode_payload(body, media_type)))

    async def _stream(self, number: int, is_subscription: bool, answer: Answer) -> None:
        parser = EventParser()
        async for piece in answer.pieces():
            for event in parser.feed(piece):
                frame = frame_of(number, event)
                if frame is None or not self.has(number):
                    continue
                if isinstance(frame, ErrorFrame) and is_subscription:
                    raise problem_of(frame.problem)
                self._hear(frame)
                if isinstance(frame, (ErrorFrame, CallResultFrame)):
                    return
        raise ConnectError("HTTP: a stream has ended")

    def _hear(self, frame: GatewayFrame) -> None:
        if self.listener is not None:
            self.listener.heard(frame, self._channel)

    def _fail(self, number: int, problem: Problem) -> None:
        self._hear(ErrorFrame(problem=dict(problem.report), id=number))

    def _failed(self, operation: Operation, error: Exception) -> None:
        """An operation has failed: for good, or with the transport or the session."""
        listener = self.listener
        if listener is None:
            return
        if isinstance(error, msgspec.MsgspecError):
            problem = own_problem("unexpected_answer", 502, "never", f"expected what the spec says: {error}")
            self._fail(operation.id, problem)
        elif not isinstance(error, Problem):
            listener.lost()
        elif error.code == "session_expired":
            listener.not_sent(operation.id)
            listener.lost()
        elif isinstance(operation.frame, SubscribeFrame) and (error.status == 429 or error.status >= 500):
            # A stream of events that cannot go on now goes on later.
            listener.lost(error.retry_after)
        else:
            self._fail(operation.id, error)

    async def close(self) -> None:
        """Ends the session at the gateway, if it was opened here."""
        for number in list(self._in_flight):
            self.give_up(number)
        if self.token is not None and self.token != self._config.token:
            with contextlib.suppress(MaculaError):
                await self._answer(ask("endSession"))

    async def disconnect(self) -> None:
        """Closes the connections."""
        self.give_up_all()
        while self._leaving:
            await asyncio.wait(self._leaving)


class Probed:
    """A client whose gateway answers."""

    def __init__(self, client: Client, beside: Callable[[Coroutine[Any, Any, None]], None]) -> None:
        self.client = client
        self._beside = beside

    def abandon(self) -> None:
        self._beside(self.client.close())


def _client(config: Config, version: Http) -> Client:
    if version == 1:
        return H1Client(config)
    if version == 2:
        return KeptClient(lambda: open_h2(config))
    # Without the extra `h3` this cannot be imported.
    from .h3 import open_h3

    return KeptClient(lambda: open_h3(config))


def problem_in(answer: Answer, body: bytes) -> Problem:
    """What an answer says went wrong."""
    media_type = answer.headers.get("content-type", "")
    told = answer.headers.get("retry-after", "")
    retry_after = float(told) if told.isdigit() else None
    if media_type.startswith("application/problem"):
        with contextlib.suppress(msgspec.DecodeError):
            report = decode_payload(body, media_type)
            if isinstance(report, dict):
                return problem_of(report, retry_after)
    # Something between the gateway and us has answered.
    retry = "never" if answer.status < 500 and answer.status != 429 else "later"
    detail = f"expected the answer of a gateway, found status {answer.status}"
    report = {"code": "unexpected_answer", "status": answer.status, "detail": detail, "retry": retry}
    return problem_of(report, retry_after)
