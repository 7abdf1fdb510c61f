"""The `qkernels` command. The only room that may import qkernels_hardware, and does so where a device is named.

``qkernels demo`` compares quantum kernels with a tuned RBF kernel on a table, by nested cross-validation, and says
whether any of them is worth time on a device. It reads the table (``_tables``, ``_csv``), builds the searches
(``_models``) and runs them (``_demo``), with ``--noise`` again under the noise of a device (``_noise``). What it found
(``_results``) becomes words (``_words``, ``_noise_words``, ``_notes``), pictures (``_pictures``) and a record
(``_record``), which are printed (``_report``) and laid out on a page (``_html``, ``_html_tags``, ``_html_style``).

``qkernels plan | submit | status | collect | resume | export`` (``_commands``) work on a campaign: a TOML file
(``_campaign``, ``_campaign_check``) that names data, map, kernel and device (``_campaign_parts``). ``_rehearsal`` lets
the kernel say what it would measure, ``_campaign_work`` and ``_campaign_run`` plan and do that, ``_ledger_engine``
answers from the ledger alone, ``_campaign_export`` writes the matrices, ``_campaign_accuracy`` what a classifier makes
of them beside a tuned RBF; ``_campaign_words``, ``_campaign_ways`` and ``_campaign_terminal`` are what a user reads.

`app` is the Typer application, `main` the entry point of the command.
"""

from qkernels.cli._app import app, main

__all__ = ["app", "main"]
