"""The `qkernels` command. The only room that may import qkernels_hardware, and does so where a device is named.

``qkernels demo`` compares quantum kernels with a tuned RBF kernel on a table, by nested cross-validation, and says
whether any of them is worth time on a device. It reads the table (``_tables``, ``_csv``), builds the searches
(``_models``) and runs them (``_demo``). What it found (``_results``) becomes words (``_words``, ``_notes``), pictures
(``_pictures``) and a record (``_record``), which are printed (``_report``) and laid out on a page (``_html``,
``_html_tags``, ``_html_style``). `app` is the Typer application, `main` the entry point of the command.
"""

from qkernels.cli._app import app, main

__all__ = ["app", "main"]
