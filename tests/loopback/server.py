"""The server: ``python -m tests.loopback.server --folder DIR [--port 0] [--backend fake_manila ...] [--noise]``.

Prints one JSON line, ``{"port": ..., "pid": ...}``, and serves until it is ended. Its whole state is in the folder.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import struct
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.loopback.api import PREFIX, answer
from tests.loopback.control import control
from tests.loopback.faults import Fault
from tests.loopback.messages import HOST, Reply, Request, problem
from tests.loopback.worker import Worker
from tests.loopback.world import Options, World

__all__ = ["Server", "main"]

_PAGE = b"<!DOCTYPE html><html><head><title>Sign in</title></head><body>Welcome to this network.</body></html>"


class Server(ThreadingHTTPServer):
    """The server, on a thread or as a process of its own."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, options: Options, port: int = 0) -> None:
        self.world = World(options)
        self.log: list[dict[str, Any]] = []
        self.lines: set[socket.socket] = set()
        super().__init__((HOST, port), _Handler)
        self._worker = Worker(self.world)
        self._worker.start()

    @property
    def port(self) -> int:
        """Port on the loopback address."""
        return int(self.server_address[1])

    def start(self) -> None:
        """Serve on a thread."""
        threading.Thread(target=self.serve_forever, args=(0.05,), name="loopback-server", daemon=True).start()

    def stop(self) -> None:
        """End, with all connections; the state stays in the folder."""
        self.world.faults.clear()
        self.shutdown()
        self._worker.stop()
        for line in list(self.lines):
            _close(line)
        self.server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that go away in the middle are what we are here for."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # One write per answer is not always possible; without this, the second waits for the first to be acknowledged.
    disable_nagle_algorithm = True
    server: Server

    def setup(self) -> None:
        super().setup()
        self.server.lines.add(self.connection)

    def finish(self) -> None:
        self.server.lines.discard(self.connection)
        try:
            super().finish()
        except OSError:
            self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: stderr belongs to the test."""

    def _serve(self) -> None:
        request = self._read()
        world = self.server.world
        if request.path.startswith("/_control"):
            self._send(control(world, request, self.server.log))
            return
        fault = world.faults.on_request(request.method, request.path)
        line: dict[str, Any] = {"method": request.method, "path": request.path, "query": request.query}
        line |= {"time": time.time(), "fault": fault and fault.kind, "status": None}
        self.server.log.append(line)
        reply = self._decide(request, fault)
        if reply is None:
            _close(self.connection)
            self.close_connection = True
            return
        line["status"] = reply.status
        world.point("before_answer", request.method, request.path)
        if world.faults.on_point("mid_answer", request.method, request.path) is not None:
            self._send(reply, cut=len(reply.body) // 2)
            world.kill()
        self._send_with(reply, fault)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve

    def _read(self) -> Request:
        parts = urlsplit(self.path)
        length = int(self.headers.get("Content-Length") or 0)
        return Request(
            method=self.command,
            path=parts.path.removeprefix(PREFIX),
            query=parse_qs(parts.query),
            headers={name.lower(): value for name, value in self.headers.items()},
            body=self.rfile.read(length),
        )

    def _decide(self, request: Request, fault: Fault | None) -> Reply | None:
        """The answer that the rule leaves; None closes the connection."""
        world = self.server.world
        if fault is None:
            return answer(world, request)
        early = _instead(fault)
        if early is not None:
            return early
        if fault.kind == "drop_before":
            return None
        if fault.kind == "delay":
            world.faults.wait(fault, fault.settings["seconds"])
        if fault.kind == "html200" and not fault.settings["done"]:
            return Reply(200, _PAGE, "text/html")
        reply = answer(world, request)
        match fault.kind:
            case "drop_after":
                return None
            case "after_status":
                return problem(fault.settings["code"], 0, "Done, but the answer is lost.")
            case "html200":
                return Reply(200, _PAGE, "text/html")
            case "empty":
                return Reply(204)
        return reply

    def _send_with(self, reply: Reply, fault: Fault | None) -> None:
        if fault is not None and fault.kind == "truncate":
            # An orderly end: after a reset, what was sent before may be lost on the way.
            self._send(reply, cut=int(len(reply.body) * fault.settings["fraction"]))
            self.close_connection = True
        elif fault is not None and fault.kind == "slow_drip":
            self._head(reply)
            chunk = fault.settings["chunk"]
            for start in range(0, len(reply.body), chunk):
                self.wfile.write(reply.body[start : start + chunk])
                self.wfile.flush()
                self.server.world.faults.wait(fault, fault.settings["seconds"])
        else:
            self._send(reply)

    def _send(self, reply: Reply, cut: int | None = None) -> None:
        self._head(reply)
        self.wfile.write(reply.body[:cut])
        self.wfile.flush()

    def _head(self, reply: Reply) -> None:
        self.send_response(reply.status)
        if reply.status != 204:
            self.send_header("Content-Type", reply.kind)
            self.send_header("Content-Length", str(len(reply.body)))
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.end_headers()


def _instead(fault: Fault) -> Reply | None:
    """The answer of a rule that does nothing else."""
    settings = fault.settings
    later = {} if settings.get("retry_after") is None else {"Retry_After": str(settings["retry_after"])}
    match fault.kind:
        case "status" if settings["body"] is not None:
            return Reply(settings["code"], str(settings["body"]).encode(), headers=_dashed(later))
        case "status":
            return problem(settings["code"], 0, "Injected.", **later)
        case "rate_limit":
            return problem(429, 1202, "Too many requests.", **later)
        case "usage_limit":
            return problem(409, 1216, "Usage exceeds instance limit.")
        case "closed_batch":
            return problem(400, 1217, "The session is closed.")
        case "iam_outage":
            return problem(settings["code"], 0, "The token service is out of order.")
        case "bad_key":
            body = b'{"errorCode":"BXNIM0415E","errorMessage":"Provided API key could not be found."}'
            return Reply(400, body)
    return None


def _dashed(headers: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}


def _close(line: socket.socket) -> None:
    """Reset a connection: the other side gets an error, not an end."""
    try:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        line.shutdown(socket.SHUT_RDWR)
    except OSError:
        return


def main(arguments: list[str] | None = None) -> None:
    """Start a server and print its port."""
    parser = argparse.ArgumentParser(prog="tests.loopback.server")
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--backend", action="append", dest="models")
    parser.add_argument("--noise", action="store_true")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--run-seconds", type=float, default=0.0)
    parser.add_argument("--usage-limit", type=float, default=None)
    parser.add_argument("--max-qpy", type=int, default=None)
    parser.add_argument("--batch-ttl", type=float, default=28800.0)
    known = parser.parse_args(arguments)
    options = Options(
        folder=known.folder,
        models=tuple(known.models or ("fake_manila",)),
        ideal=not known.noise,
        seed=known.seed,
        run_seconds=known.run_seconds,
        usage_limit=known.usage_limit,
        max_qpy=known.max_qpy,
        batch_ttl=known.batch_ttl,
        killable=True,
    )
    server = Server(options, known.port)
    print(json.dumps({"port": server.port, "pid": os.getpid()}), flush=True)  # noqa: T201
    server.serve_forever(0.05)


if __name__ == "__main__":
    main()
