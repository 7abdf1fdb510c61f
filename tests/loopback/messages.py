"""Requests and answers, without sockets."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from ipaddress import ip_network
from typing import Any

__all__ = ["HOST", "Reply", "Request", "data", "problem", "text"]

# The loopback address, the first of its network.
HOST = str(ip_network("127.0.0.0/8")[1])


@dataclass(frozen=True, slots=True)
class Request:
    """A request; `path` is without the prefix of the API and without the query."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: bytes = field(repr=False)

    def json(self) -> Any:
        """Body, read as JSON; an empty body is an empty dict."""
        return json.loads(self.body) if self.body else {}

    def first(self, name: str) -> str | None:
        """First value of a name of the query."""
        values = self.query.get(name)
        return values[0] if values else None


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer."""

    status: int
    body: bytes = b""
    kind: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)


def data(found: object, status: int = 200) -> Reply:
    """Answer with JSON; compact, as clients search the text for ``"code":1217``."""
    return Reply(status, json.dumps(found, separators=(",", ":")).encode())


def text(found: str, status: int = 200) -> Reply:
    """Answer with plain text."""
    return Reply(status, found.encode(), "text/plain; charset=utf-8")


def problem(status: int, code: int, message: str, **headers: str) -> Reply:
    """Answer with an error, in the shape of the API of 2025 and later."""
    reply = data({"errors": [{"code": code, "message": message, "solution": ""}], "trace": "loopback"}, status)
    return Reply(reply.status, reply.body, reply.kind, {k.replace("_", "-"): v for k, v in headers.items()})
