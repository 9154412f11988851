"""The module `alicorn`, which is there in applications that Alicorn runs: see
alicorn-python(7)."""

from collections.abc import Callable, Iterator
from socket import socket
from typing import Any, Final, Literal, Protocol, final

from typing_extensions import Buffer

class _HasFileno(Protocol):
    def fileno(self) -> int: ...

@final
class AlreadyHandled:
    def __iter__(self) -> Iterator[bytes]: ...

ALREADY_HANDLED: Final[AlreadyHandled]
"""Returned in the place of a body: the connection, environ["alicorn.socket"], is the
application's from now on."""

class PauseIteration(Exception):
    """Raised by next() of an iterating worker's application, or given by it: there is
    nothing to do until the next request, or for iterate_interval."""

class Socket(socket):
    """The type of environ["alicorn.socket"] and environ["gunicorn.socket"]."""

    @property
    def unread(self) -> bytes:
        """What was received behind the request."""

class Proc:
    """Base class of what supervises a detached connection. Both are called in the main
    thread, between requests, and must return at once."""

    def status(self) -> bool | int | None:
        """None and True: it goes on. False and 0: it has ended. Any other number, or an
        exception: it has failed."""

    def terminate(self, reason: Literal["stop", "reload", "recycle", "timeout"]) -> object:
        """The connection shall be ended soon."""

@final
class Worker:
    @property
    def id(self) -> int:
        """1 for the first process that the server ever started, then 2, …"""
    @property
    def age(self) -> int:
        """The same, as gunicorn calls it."""
    @property
    def pool(self) -> str:
        """The name of the application."""
    @property
    def pid(self) -> int: ...
    @property
    def generation(self) -> int:
        """Of the configuration: 1, and one more at each reload."""
    @property
    def busy_workers(self) -> int:
        """Workers of this application that are in a request now, this one included."""

worker: Final[Worker]
version: Final[str]
POOL: Final[int]
ARBITER: Final[int]

def detach(environ: dict[str, Any], proc: Proc, /) -> None:
    """Before ALREADY_HANDLED is returned: proc supervises the connection."""

def log(
    level: int | Literal["critical", "error", "warning", "info", "debug"], message: str, /
) -> None:
    """Writes lines to the server's log, with the request that this thread answers."""

def request_id() -> str | None:
    """Of the request that this thread answers, if there is one, and it has one."""

def send(type: int, data: Buffer, fd: int | _HasFileno | None = -1, to: int = ...) -> None:
    """Sends a message, with a copy of a descriptor, to all other workers of the pool, or to
    the arbiter."""

def on_message(function: Callable[[int, bytes, int, int], object] | None, /) -> None:
    """function(type, data, fd, sender) is called in the main thread, between requests, with
    what another worker sent; the descriptor, or -1, is its to close."""
