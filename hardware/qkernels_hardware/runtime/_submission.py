"""What `RuntimeEngine.submit` returns: which blocks, which jobs, where they are kept."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

__all__ = ["Submission"]


@dataclass(frozen=True, slots=True)
class Submission:
    """A request that was handed to a device; ``print`` it for one line.

    Attributes
    ----------
    device : str
    ledger : Path
    blocks : tuple of int
        Of the ledger, with those that were there before.
    job_ids : tuple of str
    entries : int
        Distinct entries of the request.
    done : bool
        Whether the ledger has all results.
    """

    device: str
    ledger: Path
    blocks: tuple[int, ...]
    job_ids: tuple[str, ...]
    entries: int
    done: bool

    def __str__(self) -> str:
        state = "all results are there" if self.done else "waiting for results"
        return (
            f"{self.device}: {self.entries:,} entries in {len(self.blocks)} block(s), "
            f"{len(self.job_ids)} job(s), {state}; ledger {self.ledger}"
        )
