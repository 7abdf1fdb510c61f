"""One seed for one block of work, whichever run or attempt submits it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from hashlib import sha256

__all__ = ["job_seed"]

# qk-<run>-<block>-<fingerprint>-a<attempt>
_TAG = re.compile(r"^qk-[^-]+-(?P<work>.+)-a\d+$")


def job_seed(tags: Sequence[str], base: int, ordinal: int) -> int:
    """Seed of a job, in [0, 2³¹).

    Parameters
    ----------
    tags : sequence of str
        A tag ``qk-<run>-<block>-<fingerprint>-a<attempt>`` decides alone, by its ``<block>-<fingerprint>``: runs and
        attempts agree bit for bit. Several of them count in sorted order.
    base : int
        Seed of the server.
    ordinal : int
        Number of the job on the server; used where no tag has that form, so that jobs differ.
    """
    work = sorted(found["work"] for tag in tags if (found := _TAG.match(tag)))
    words = [str(base), *work] if work else [str(base), f"job {ordinal}"]
    return int.from_bytes(sha256("\n".join(words).encode()).digest()[:4], "big") >> 1
