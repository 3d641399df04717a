"""Calls to the sidecar's control listener: one description of each, sent by an async or a sync client."""

import asyncio
import logging
import os
import socket
import time
from dataclasses import dataclass, field
from typing import Any, Callable, Dict, FrozenSet, Generic, Optional, TypeVar, Union

import httpx

logger = logging.getLogger(__name__)

R = TypeVar("R")

#: What to do when the sidecar or its store is away: raise Unavailable, log a warning and go on, go on without a word, or
#: call something with the Unavailable and go on.
OnUnavailable = Union[str, Callable[["Unavailable"], None]]

DEFAULT_URL = "http://127.0.0.1:8081"

#: Between two attempts while there is patience left, in seconds.
AGAIN_S = 0.2


class BreakwaterError(Exception):
    """A call that did not do what it should."""


class Unavailable(BreakwaterError):
    """The sidecar does not answer, its checkpoint store is down, or it does not accept the token."""


class Unauthorized(Unavailable):
    """The token, or the name by which the sidecar was called, is not accepted (401, 403). A job can go on without the
    sidecar, as while it is away; waiting does not help."""


class Refused(BreakwaterError):
    """The call itself was refused: another 4xx. Waiting does not help; nothing was changed."""

    def __init__(self, status: int, detail: str, field: Optional[str]) -> None:
        super().__init__(f"{status}: {detail}")
        self.status = status
        #: The part of the call that is meant, such as ``item_ids.3``; None when it is none in particular.
        self.field = field


@dataclass(frozen=True)
class Settings:
    """Where the sidecar is, and what happens when it is not.

    url: of the control listener; the environment's BREAKWATER_URL, or http://127.0.0.1:8081, when None.
    token: bearer token; the environment's BREAKWATER_TOKEN when None; empty for none.
    timeout_s: for one attempt; the sidecar itself answers within 2 s, also when its store is down.
    patience_s: how long a call goes on trying before the sidecar counts as away. Every call may be repeated.
    on_unavailable: "raise", "log", "ignore", or a callable that takes the Unavailable.
    """

    url: Optional[str] = None
    token: Optional[str] = None
    timeout_s: float = 3.0
    patience_s: float = 0.0
    on_unavailable: OnUnavailable = "log"

    def client_options(self) -> Dict[str, Any]:
        token = os.environ.get("BREAKWATER_TOKEN", "") if self.token is None else self.token
        return {
            "base_url": self.url or os.environ.get("BREAKWATER_URL") or DEFAULT_URL,
            "headers": {"authorization": f"Bearer {token}"} if token else {},
            "timeout": self.timeout_s,
            # The sidecar is on this machine: a proxy of the environment is not on the way to it.
            "trust_env": False,
        }

    def give_up(self, error: Unavailable) -> None:
        if callable(self.on_unavailable):
            self.on_unavailable(error)
        elif self.on_unavailable == "raise":
            raise error
        elif self.on_unavailable == "log":
            logger.warning("breakwater: %s", error)
        elif self.on_unavailable != "ignore":
            raise ValueError(f"on_unavailable: {self.on_unavailable!r} is none of raise, log, ignore")


@dataclass(frozen=True)
class Call(Generic[R]):
    """read makes the result of the response; instead makes it when the sidecar is away."""

    method: str
    path: str
    read: Callable[[httpx.Response], R]
    instead: Callable[[], R]
    json: Optional[Dict[str, Any]] = None
    params: Dict[str, Any] = field(default_factory=dict)
    #: Statuses from 400 that are an answer.
    answers: FrozenSet[int] = frozenset()

    def result(self, response: httpx.Response) -> R:
        status = response.status_code
        if status < 400 or status in self.answers:
            return self.read(response)
        problem = _problem(response)
        told = f"{self.method} {self.path}: {status}: {problem.get('detail', '')}"
        if status in (401, 403):
            raise Unauthorized(told)
        if status >= 500:
            raise Unavailable(told)
        raise Refused(status, str(problem.get("detail", "")), problem.get("field"))


def _problem(response: httpx.Response) -> Dict[str, Any]:
    try:
        said = response.json()
    except ValueError:
        return {"detail": response.text}
    return said if isinstance(said, dict) else {"detail": response.text}


class AsyncControl:
    """Sends calls from a running event loop. A client belongs to the loop that it was first used in."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._client: Optional[httpx.AsyncClient] = None
        self._loop: Optional[asyncio.AbstractEventLoop] = None

    async def send(self, call: "Call[R]") -> R:
        until = time.monotonic() + self._settings.patience_s
        while True:
            try:
                response = await self._open().request(call.method, call.path, json=call.json, params=call.params)
                return call.result(response)
            except (httpx.TransportError, Unavailable) as error:
                if _is_final(error) or time.monotonic() + AGAIN_S > until:
                    self._settings.give_up(_unavailable(call, error))
                    return call.instead()
            await asyncio.sleep(AGAIN_S)

    def _open(self) -> httpx.AsyncClient:
        loop = asyncio.get_running_loop()
        if self._client is None or self._loop is not loop:
            self._client = httpx.AsyncClient(**self._settings.client_options())
            self._loop = loop
        return self._client

    async def close(self) -> None:
        if self._client is not None:
            await self._client.aclose()
        self._client = None


class SyncControl:
    """Sends calls and waits for them. May be used from several threads; after a fork it opens connections of its own."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._client: Optional[httpx.Client] = None
        self._pid = 0

    def send(self, call: "Call[R]") -> R:
        until = time.monotonic() + self._settings.patience_s
        while True:
            try:
                response = self._open().request(
                    call.method, call.path, json=call.json, params=call.params, extensions={"trace": _undelayed}
                )
                return call.result(response)
            except (httpx.TransportError, Unavailable) as error:
                if _is_final(error) or time.monotonic() + AGAIN_S > until:
                    self._settings.give_up(_unavailable(call, error))
                    return call.instead()
            time.sleep(AGAIN_S)

    def _open(self) -> httpx.Client:
        if self._client is None or self._pid != os.getpid():
            self._client = httpx.Client(**self._settings.client_options())
            self._pid = os.getpid()
        return self._client

    def close(self) -> None:
        if self._client is not None:
            self._client.close()
        self._client = None


def _is_final(error: Exception) -> bool:
    return isinstance(error, Unauthorized)


def _undelayed(event: str, info: Dict[str, Any]) -> None:
    """Turns Nagle's algorithm off on each new connection. httpx writes head and body one after the other, and without this
    the body waits for the head's acknowledgement, which comes 40 ms late. asyncio, and httpx from 0.25 on, do so themselves."""
    if event == "connection.connect_tcp.complete":
        connection = info["return_value"].get_extra_info("socket")
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _unavailable(call: "Call[Any]", error: Exception) -> Unavailable:
    if isinstance(error, Unavailable):
        return error
    unavailable = Unavailable(f"{call.method} {call.path}: {type(error).__name__}: {error}")
    unavailable.__cause__ = error
    return unavailable
