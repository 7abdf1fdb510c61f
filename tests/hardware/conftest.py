"""Fixtures of the tests against a server of their own."""

from tests.loopback.fixtures import fail_closed, loopback, start_loopback

__all__ = ["fail_closed", "loopback", "start_loopback"]
