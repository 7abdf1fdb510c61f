"""Put this folder on PYTHONPATH and Python reaches nothing but the loopback address from its first line on.

Used by tests for processes of the client, and imported by them for their own process.
"""

from __future__ import annotations

import ipaddress
import os
import socket
from collections.abc import Callable
from typing import Any

__all__ = ["LeftLoopbackError", "install"]


class LeftLoopbackError(BaseException):
    """A connection would leave this machine. Not an `Exception`: the client swallows those and goes on."""


def install(patch: Callable[[object, str, object], None]) -> list[str]:
    """Forbid connections and look-ups of names; `patch` is called like `setattr`.

    Returns
    -------
    list of str
        Addresses that were tried, for those who cannot see the exception.
    """
    tried: list[str] = []

    def check(host: object) -> None:
        if isinstance(host, bytes):
            host = host.decode()
        if not _local(host):
            tried.append(str(host))
            raise LeftLoopbackError(f"{host} is not this machine: a test must not reach the network")

    def guarded(method: Callable[..., Any]) -> Callable[..., Any]:
        def connect(self: socket.socket, address: Any) -> Any:
            if self.family in (socket.AF_INET, socket.AF_INET6):
                check(address[0])
            return method(self, address)

        return connect

    find = socket.getaddrinfo

    def getaddrinfo(host: Any, *args: Any, **kwargs: Any) -> Any:
        check(host)
        return find(host, *args, **kwargs)

    patch(socket.socket, "connect", guarded(socket.socket.connect))
    patch(socket.socket, "connect_ex", guarded(socket.socket.connect_ex))
    patch(socket, "getaddrinfo", getaddrinfo)
    return tried


def _local(host: object) -> bool:
    """Whether an address is one of this machine; names are not, they would be looked up."""
    try:
        return host in ("", None) or ipaddress.ip_address(str(host)).is_loopback
    except ValueError:
        return False


if os.environ.get("LOOPBACK_GUARD") == "1" and __name__ == "sitecustomize":
    install(setattr)
