"""A campaign with everything that its steps need: rows, requests, engine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from qkernels.cli._campaign import Campaign
from qkernels.cli._campaign_parts import Split, build_kernel
from qkernels.cli._rehearsal import Rehearsal, Request, rehearse

if TYPE_CHECKING:
    from qkernels_hardware import RuntimeEngine

__all__ = ["Work", "requests_of"]


@dataclass(frozen=True, slots=True, eq=False)
class Work:
    """A campaign, ready to be planned or run.

    Attributes
    ----------
    campaign : Campaign
    split : Split
    requests : sequence of Request
    engine : RuntimeEngine
    """

    campaign: Campaign
    split: Split
    requests: Sequence[Request]
    engine: RuntimeEngine

    @property
    def is_local(self) -> bool:
        """Whether jobs run in this process, on a device model or a simulator."""
        return str(self.campaign.backend["name"]).strip().lower().startswith(("fake", "aer"))


def requests_of(campaign: Campaign, split: Split, need: frozenset[str]) -> list[Request]:
    """What the kernel of a campaign asks for; `need` is what its corrections require.

    Raises
    ------
    InvalidParameterError, InvalidDataError
        The kernel or its map cannot be used.
    """
    kernel = build_kernel(campaign, Rehearsal(need), corrected=False)
    return rehearse(kernel, split.X_train, split.X_test)
