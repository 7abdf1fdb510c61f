"""Ledger: what was planned, submitted and measured, in one SQLite file with result files beside it.

- `Ledger` is opened, asked and changed; each change is one step on disk.
- Records: `SeriesRecord`, `BlockRecord`, `Event`, `Spending`. `LedgerFileError` is a damaged result file.
"""

from qkernels_hardware.ledger._ledger import Ledger
from qkernels_hardware.ledger._records import BlockRecord, LedgerFileError, SeriesRecord, Spending

__all__ = [
    "BlockRecord",
    "Ledger",
    "LedgerFileError",
    "SeriesRecord",
    "Spending",
]
