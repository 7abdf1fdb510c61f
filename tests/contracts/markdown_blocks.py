"""Fenced blocks of a Markdown page, and whether its Python blocks print what the page shows."""

from __future__ import annotations

import contextlib
import doctest
import io
import re
from pathlib import Path

FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def fenced_blocks(page: Path) -> list[tuple[str, str]]:
    """Fenced blocks as (language, text), in order."""
    return re.findall(r"^```([\w-]*)[^\n]*\n(.*?)^```$", page.read_text(), flags=re.MULTILINE | re.DOTALL)


def run_python_blocks(page: Path) -> str:
    """What the Python blocks print, run in one namespace; a ``text`` block right after one is its printed output."""
    namespace: dict[str, object] = {"__name__": page.stem}
    shown = fenced_blocks(page)
    printed: list[str] = []
    assert any(language == "python" for language, _ in shown)
    for index, (language, body) in enumerate(shown):
        if language != "python":
            continue
        output = io.StringIO()
        with contextlib.redirect_stdout(output):
            exec(compile(body, f"{page.name} block {index}", "exec"), namespace)
        printed.append(output.getvalue())
        if index + 1 < len(shown) and shown[index + 1][0] == "text":
            want = shown[index + 1][1]
            assert doctest.OutputChecker().check_output(want, output.getvalue(), FLAGS), output.getvalue()
    return "".join(printed)


def broken_links(page: Path) -> list[str]:
    """Link targets in the repository that do not exist."""
    targets = re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text())
    local = [target for target in targets if not re.match(r"[a-z]+:", target)]
    return [target for target in local if not (page.parent / target).exists()]
