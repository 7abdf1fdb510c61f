"""The process-wide cache: compiled programs, states, finished results; keyed by content, bounded in bytes.

It is never part of an engine or a pickle: engines are cloned, copied to workers and compared, and an instance cache
would miss each time. Worker processes of one parent share their finished matrices through `_shared_store`.
"""

from __future__ import annotations

import threading
from collections import Counter, OrderedDict
from collections.abc import Callable, Hashable
from contextlib import contextmanager
from dataclasses import dataclass
from numbers import Integral
from typing import TYPE_CHECKING, Literal, TypeVar, cast

from qkernels._errors import InvalidParameterError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["CacheInfo", "cache_info", "clear_cache", "set_cache"]

T = TypeVar("T")

DEFAULT_MAX_BYTES = 1 << 30


@dataclass(frozen=True, slots=True)
class CacheInfo:
    """State of the process-wide cache.

    Attributes
    ----------
    entries, nbytes, max_bytes : int
    hits, misses : int
        Look-ups since the start of the process or the last `clear_cache`.
    evaluated_matrices : int
        Kernel matrices (or lists of pairs) that were really computed in this process, not found in a cache.
    evaluated_weights : int
        The same for outcome weights, which are computed beside their matrix.
    evaluated_expectations : int
        The same for tables of expectation values.
    """

    entries: int
    nbytes: int
    max_bytes: int
    hits: int
    misses: int
    evaluated_matrices: int
    evaluated_weights: int = 0
    evaluated_expectations: int = 0


class ContentCache:
    """Least-recently-used map from content keys to values, bounded in bytes; one computation per key at a time."""

    def __init__(self, max_bytes: int = DEFAULT_MAX_BYTES) -> None:
        self._entries: OrderedDict[Hashable, tuple[object, int]] = OrderedDict()
        self._in_flight: dict[Hashable, tuple[threading.Lock, int]] = {}
        self._lock = threading.Lock()
        self.max_bytes = max_bytes
        self.nbytes = self.hits = self.misses = 0
        self.evaluated: Counter[str] = Counter()

    def get(self, key: Hashable) -> object | None:
        """The stored value, or None."""
        with self._lock:
            found = self._entries.get(key)
            if found is None:
                self.misses += 1
                return None
            self.hits += 1
            self._entries.move_to_end(key)
            return found[0]

    def put(self, key: Hashable, value: object, nbytes: int) -> None:
        """Store a value; one larger than the whole cache is not stored."""
        with self._lock:
            if key in self._entries:
                self.nbytes -= self._entries.pop(key)[1]
            if nbytes > self.max_bytes:
                return
            self._entries[key] = (value, nbytes)
            self.nbytes += nbytes
            self._shrink()

    def _shrink(self) -> None:
        while self.nbytes > self.max_bytes:
            _, (_, freed) = self._entries.popitem(last=False)
            self.nbytes -= freed

    def resize(self, max_bytes: int) -> None:
        """Change the bound and drop what no longer fits."""
        with self._lock:
            self.max_bytes = max_bytes
            self._shrink()

    def clear(self) -> None:
        """Forget everything, the counters too."""
        with self._lock:
            self._entries.clear()
            self.nbytes = self.hits = self.misses = 0
            self.evaluated.clear()

    def count(self, kind: Literal["matrices", "weights", "expectations"]) -> None:
        """Note that one result of this kind was really computed."""
        with self._lock:
            self.evaluated[kind] += 1

    @contextmanager
    def computing(self, key: Hashable) -> Iterator[None]:
        """Hold the key, so that threads asking for one value compute it once."""
        with self._lock:
            lock, users = self._in_flight.get(key, (threading.Lock(), 0))
            self._in_flight[key] = (lock, users + 1)
        try:
            with lock:
                yield
        finally:
            with self._lock:
                lock, users = self._in_flight[key]
                if users == 1:
                    del self._in_flight[key]
                else:
                    self._in_flight[key] = (lock, users - 1)

    def compute(self, key: Hashable, function: Callable[[], T], nbytes: Callable[[T], int]) -> T:
        """The stored value, or the function's, stored."""
        found = self.get(key)
        if found is None:
            with self.computing(key):
                found = self.get(key)
                if found is None:
                    found = function()
                    self.put(key, found, nbytes(found))
        return cast("T", found)


CACHE = ContentCache()


def set_cache(max_bytes: int) -> None:
    """Bound the process-wide cache of compiled programs, states and matrices.

    Parameters
    ----------
    max_bytes : int, >= 0
        The default is 1 GiB (2**30). 0 switches the cache off.

    Raises
    ------
    InvalidParameterError
        `max_bytes` is not an integer >= 0.

    Examples
    --------
    >>> import qkernels
    >>> qkernels.set_cache(2**30)
    """
    if isinstance(max_bytes, bool) or not isinstance(max_bytes, Integral) or max_bytes < 0:
        raise InvalidParameterError(
            f"max_bytes of set_cache must be an integer >= 0 (0 switches the cache off), got {max_bytes!r}."
        )
    CACHE.resize(int(max_bytes))


def clear_cache() -> None:
    """Forget all compiled programs, states and matrices, and set the counters to 0."""
    CACHE.clear()


def cache_info() -> CacheInfo:
    """Entries, bytes and counters of the process-wide cache.

    Returns
    -------
    CacheInfo
    """
    return CacheInfo(
        entries=len(CACHE._entries),
        nbytes=CACHE.nbytes,
        max_bytes=CACHE.max_bytes,
        hits=CACHE.hits,
        misses=CACHE.misses,
        evaluated_matrices=CACHE.evaluated["matrices"],
        evaluated_weights=CACHE.evaluated["weights"],
        evaluated_expectations=CACHE.evaluated["expectations"],
    )
