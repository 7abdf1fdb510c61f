"""The commands of a campaign: plan, submit, status, collect, resume, discard, export."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from qkernels.cli._campaign_run import Total
    from qkernels.cli._campaign_work import Work

__all__ = ["register"]

_SQLITE = b"SQLite format 3\x00"
"""How a ledger begins."""

CampaignFile = Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="Campaign, a TOML file.")]
Json = Annotated[bool, typer.Option("--json", help="Plain data for programs.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Submit to a device without asking.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (plan, submit, status, collect, resume, discard, export):
        app.command(rich_help_panel="Campaigns on devices")(command)


def plan(campaign: CampaignFile, json: Json = False) -> None:
    """Say what a campaign costs; nothing is sent.

    Exit code 1 where it does not fit into its budget.
    """
    from qkernels.cli._campaign_terminal import guarded

    with guarded(campaign):
        from qkernels.cli._campaign_run import add_up, check_budget, plan_work
        from qkernels.cli._campaign_words import as_json, header, plan_json, total_lines

        work, console = _work(campaign), _console()
        with console.status("planning"):
            plans = plan_work(work)
        total = add_up(work, plans)
        if json:
            typer.echo(as_json(plan_json(work, plans, total)))
        else:
            _say(console, header(work))
            for request, one in zip(work.requests, plans, strict=True):
                _say(console, f"\n{request.what}\n{one}")
            _say(console, "\n" + "\n".join(total_lines(total)))
            _tell_others(work, console)
        check_budget(total)


def submit(campaign: CampaignFile, yes: Yes = False) -> None:
    """Hand a campaign to its device and return; on a device model, wait for it.

    The budget is checked for the campaign as a whole before anything is sent. What was sent before is not sent again.
    """
    from qkernels.cli._campaign_terminal import guarded

    with guarded(campaign):
        from qkernels.cli._campaign_run import submit as submit_all
        from qkernels.cli._campaign_terminal import steps_of_blocks

        work, console = _work(campaign), _console()
        _agree(work, console, yes=yes)
        with steps_of_blocks(work.engine, console, "submitting"):
            found = submit_all(work)
        for request, one in zip(work.requests, found, strict=True):
            state = "all results are there" if one.done or work.is_local else "waiting for results"
            _say(console, f"{request.what}: {one.entries:,} entries in {len(one.blocks)} block(s), {state}")
        then = "export" if work.is_local or all(one.done for one in found) else "collect"
        _say(console, f"Ledger {work.campaign.ledger}. Next: qkernels {then} {campaign}")


def status(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="Campaign, or the ledger file alone.")],
    json: Json = False,
) -> None:
    """Say where everything stands, from the ledger file alone: no account, no network, no results needed."""
    from qkernels.cli._campaign_terminal import guarded

    with guarded(file):
        from qkernels.cli._campaign import read_campaign
        from qkernels.cli._campaign_words import as_json
        from qkernels_hardware import Ledger

        with open(file, "rb") as opened:
            is_ledger = opened.read(len(_SQLITE)) == _SQLITE
        path = file if is_ledger else read_campaign(file).ledger
        if not path.exists():
            typer.echo(as_json({"path": path, "series": []}) if json else f"No ledger {path} yet: nothing was sent.")
            return
        with Ledger.open(path, read_only=True) as ledger:
            summary = ledger.summary()
        typer.echo(as_json(summary) if json else str(summary))


def collect(
    campaign: CampaignFile,
    wait: Annotated[bool, typer.Option("--wait", help="Until all results are there.")] = False,
) -> None:
    """Fetch what is finished, and send what an interrupted command had planned and not sent.

    Blocks of other rows or settings, or of another campaign, are left alone. Without the file of the rows, what was
    submitted is fetched.
    """
    from qkernels.cli._campaign_terminal import guarded

    with guarded(campaign):
        from qkernels.cli._campaign import read_campaign
        from qkernels.cli._campaign_blocks import collect as collect_own
        from qkernels.cli._campaign_blocks import collect_submitted
        from qkernels.cli._campaign_parts import build_engine
        from qkernels.cli._campaign_run import prepare
        from qkernels.cli._campaign_terminal import steps_of_blocks

        found, console = read_campaign(campaign), _console()
        if not found.data.is_there:
            engine = build_engine(found)
            with steps_of_blocks(engine, console, "collecting"):
                left = collect_submitted(found, engine, wait=wait)
            _say(console, f"{left} submitted block(s) are open; without {found.data.csv} nothing was sent.")
            return
        work = prepare(found)
        with steps_of_blocks(work.engine, console, "collecting"):
            left = collect_own(work, wait=wait)
        _tell_missing(work, console, left)


def resume(
    campaign: CampaignFile,
    retry_failed: Annotated[
        bool,
        typer.Option(
            "--retry-failed", help="Send blocks again that failed as often as is allowed, or whose jobs are gone."
        ),
    ] = False,
    yes: Yes = False,
) -> None:
    """Submit what is missing and wait for all results; goes on wherever another command ended."""
    from qkernels.cli._campaign_terminal import guarded

    with guarded(campaign):
        from qkernels.cli._campaign_run import resume as resume_all
        from qkernels.cli._campaign_terminal import steps_of_blocks

        work, console = _work(campaign), _console()
        _agree(work, console, yes=yes)
        with steps_of_blocks(work.engine, console, "working"):
            left = resume_all(work, retry_failed=retry_failed)
        _tell_missing(work, console, left)


def discard(
    campaign: CampaignFile, yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False
) -> None:
    """Give up blocks that were planned and never sent, for other rows or settings than the campaign has now.

    Results, and jobs that were submitted, stay.
    """
    from qkernels.cli._campaign_terminal import guarded

    with guarded(campaign):
        from qkernels.cli._campaign_blocks import discard as discard_all
        from qkernels.cli._campaign_blocks import other_blocks
        from qkernels.cli._campaign_words import block_line

        work, console = _work(campaign), _console()
        unsent = [block for block in other_blocks(work) if block.state == "planned"]
        if not unsent:
            _say(console, "Nothing to give up: every block that waits to be sent is of this campaign as it stands now.")
            return
        for block in unsent:
            _say(console, block_line(block))
        if not yes:
            typer.confirm(f"Give up {len(unsent)} block(s) that were never sent?", abort=True)
        discard_all(work.campaign, unsent)
        _say(console, f"{len(unsent)} block(s) given up.")


def export(
    campaign: CampaignFile,
    output: Annotated[
        Path | None,
        typer.Option(
            help="File with the ending .npz or .csv. Default: the campaign's name with .npz, and .partial.npz where "
            "results are missing."
        ),
    ] = None,
    partial: Annotated[
        bool, typer.Option("--partial", help="Take what is there: uncorrected, NaN where results are missing.")
    ] = False,
) -> None:
    """Write the kernel matrices from the results in the ledger; nothing is measured."""
    from qkernels.cli._campaign_terminal import guarded

    with guarded(campaign):
        from qkernels.cli._campaign_accuracy import compare_on_test_rows
        from qkernels.cli._campaign_export import export as export_all
        from qkernels.cli._campaign_export import write_export

        work, console = _work(campaign), _console()
        found = export_all(work, partial=partial)
        # A partial export does not take the place of a whole one.
        default = campaign.with_suffix(".npz" if found.is_complete else ".partial.npz")
        files = write_export(output or default, found)
        there = int(found.mask_train.sum() + found.mask_test.sum())
        kind = "corrected" if found.provenance["corrected"] else "as measured, without corrections"
        _say(console, f"{there:,} of {found.mask_train.size + found.mask_test.size:,} matrix entries, {kind}")
        _say(console, f"{compare_on_test_rows(found, work.split, work.campaign.data.seed)}")
        _say(console, f"In {', '.join(map(str, files))}")


def _work(path: Path) -> Work:
    from qkernels.cli._campaign import read_campaign
    from qkernels.cli._campaign_run import prepare

    return prepare(read_campaign(path))


def _agree(work: Work, console: Console, *, yes: bool) -> None:
    """Check the budget of the whole campaign; ask where a device would be paid."""
    from qkernels.cli._campaign_run import add_up, check_budget, plan_work
    from qkernels.cli._campaign_words import header, total_lines

    _say(console, header(work))
    with console.status("planning"):
        total: Total = add_up(work, plan_work(work))
    check_budget(total)
    for line in total_lines(total):
        _say(console, line)
    if total.jobs and not (yes or work.is_local):
        question = f"Submit {total.jobs} job(s), about {total.qpu_seconds:.1f} s of QPU time, to {work.engine.name}?"
        typer.confirm(question, abort=True)


def _tell_missing(work: Work, console: Console, left: int) -> None:
    from qkernels.cli._campaign_export import missing_entries

    missing = {what: counts for what, counts in missing_entries(work).items() if counts[0]}
    for what, (lost, count) in missing.items():
        _say(console, f"{what}: {lost:,} of {count:,} results are missing")
    path = work.campaign.path
    if left:
        _say(console, f"{left} block(s) are open. Next: qkernels collect {path} (--wait waits)")
    elif missing:
        _say(console, f"What is missing was never submitted. Next: qkernels resume {path}")
    else:
        _say(console, f"All results are there. Next: qkernels export {path}")
    _tell_others(work, console)


def _tell_others(work: Work, console: Console) -> None:
    """Say what else of the ledger costs something, or will."""
    from qkernels.cli._campaign_blocks import other_blocks
    from qkernels.cli._campaign_words import others_line

    others = other_blocks(work)
    if others:
        _say(console, others_line(others, work.campaign.path))


def _console() -> Console:
    from rich.console import Console

    return Console(highlight=False)


def _say(console: Console, text: str) -> None:
    console.print(text, soft_wrap=True, markup=False)
