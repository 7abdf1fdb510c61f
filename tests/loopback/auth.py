"""Tokens, and the instances of the account: IBM Cloud's IAM, Global Search and Global Catalog."""

from __future__ import annotations

import base64
import hmac
import json
import time
from dataclasses import dataclass
from urllib.parse import parse_qs

from tests.loopback.messages import Reply, Request, data

__all__ = ["API_KEY", "INSTANCES", "Instance", "authorized", "catalog_entry", "issue", "search"]

API_KEY = "loopback-obviously-not-a-token"
_SIGNING = b"loopback"  # constant: tokens stay valid when the server restarts


@dataclass(frozen=True, slots=True)
class Instance:
    """A service instance of the account."""

    name: str
    plan: str
    pricing: str

    @property
    def crn(self) -> str:
        """Cloud resource name."""
        return f"crn:v1:bluemix:public:quantum-computing:us-east:a/loopback-account:{self.name}::"

    @property
    def plan_id(self) -> str:
        """Identifier in the catalogue."""
        return f"plan-of-{self.name}"


INSTANCES = (Instance("loopback-open", "Open", "free"), Instance("loopback-paid", "Pay-as-you-go", "paygo"))


def issue(request: Request, lifetime: float) -> Reply:
    """Exchange an API key for a token."""
    key = parse_qs(request.body.decode()).get("apikey", [""])[0]
    if key != API_KEY:
        message = "Provided API key could not be found."
        return data({"errorCode": "BXNIM0415E", "errorMessage": message, "context": {}}, 400)
    now = time.time()
    token = _token(now, now + lifetime)
    # Whole seconds, as IBM does; the client refreshes by `exp` of the token.
    answer = {"access_token": token, "refresh_token": "not-used", "token_type": "Bearer"}
    return data(answer | {"expires_in": int(lifetime), "expiration": int(now + lifetime), "scope": "ibm openid"})


def authorized(request: Request) -> bool:
    """Whether a request carries a token of ours that has not expired."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme != "Bearer" or token.count(".") != 2:
        return False
    signed, _, signature = token.rpartition(".")
    if not hmac.compare_digest(signature, _signature(signed)):
        return False
    return bool(json.loads(_decode(signed.split(".")[1]))["exp"] > time.time())


def search() -> Reply:
    """The instances of the account."""
    items = [
        {
            "crn": each.crn,
            "name": each.name,
            "service_plan_unique_id": each.plan_id,
            "tags": [],
            "doc": {"extensions": {"backends": "all"}},
        }
        for each in INSTANCES
    ]
    return data({"items": items, "limit": 100})


def catalog_entry(path: str) -> Reply | None:
    """The plan of an instance."""
    for each in INSTANCES:
        if path == f"/{each.plan_id}":
            return data(
                {
                    "id": each.plan_id,
                    "name": each.plan_id,
                    "overview_ui": {"en": {"display_name": each.plan}},
                    "metadata": {"pricing": {"type": each.pricing}},
                }
            )
    return None


def _token(issued: float, expires: float) -> str:
    head = _encode(json.dumps({"alg": "HS256", "typ": "JWT"}).encode())
    claims = {"iat": int(issued), "exp": expires, "iss": "loopback", "sub": "nobody"}
    signed = f"{head}.{_encode(json.dumps(claims).encode())}"
    return f"{signed}.{_signature(signed)}"


def _signature(signed: str) -> str:
    return _encode(hmac.digest(_SIGNING, signed.encode(), "sha256"))


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _decode(word: str) -> bytes:
    return base64.urlsafe_b64decode(word + "=" * (-len(word) % 4))
