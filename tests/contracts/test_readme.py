"""README.md runs: every Python block, in order; and every command it names exists."""

from __future__ import annotations

import contextlib
import doctest
import io
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
SHELLS = {"bash", "sh", "shell", "console"}
OTHER_COMMANDS = {"cd", "git", "pip", "python", "source"}


def blocks() -> list[tuple[str, str]]:
    """Fenced blocks of README.md as (language, text), in order."""
    text = (ROOT / "README.md").read_text()
    return re.findall(r"^```([\w-]*)[^\n]*\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)


def command_lines() -> list[str]:
    """Command lines of the shell blocks, without prompts and comments."""
    text = "\n".join(body for language, body in blocks() if language in SHELLS)
    lines = [re.sub(r"\s+#.*$", "", line).removeprefix("$ ").strip() for line in text.splitlines()]
    return [part.strip() for line in lines if line and not line.startswith("#") for part in line.split("&&")]


def test_python_blocks_run_and_print_what_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, object] = {"__name__": "readme"}
    shown = blocks()
    assert any(language == "python" for language, _ in shown)
    for index, (language, body) in enumerate(shown):
        if language != "python":
            continue
        output = io.StringIO()
        with contextlib.redirect_stdout(output):
            exec(compile(body, f"README.md block {index}", "exec"), namespace)
        # A ```text block right after a Python block is its printed output.
        if index + 1 < len(shown) and shown[index + 1][0] == "text":
            want = shown[index + 1][1]
            assert doctest.OutputChecker().check_output(want, output.getvalue(), FLAGS), output.getvalue()


def test_commands_exist() -> None:
    targets = set(re.findall(r"^([a-z][\w-]*):(?!=)", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    cli = pytest.importorskip("qkernels.cli")
    import typer.main

    group = typer.main.get_command(cli.app)
    commands = set(getattr(group, "commands", {}))
    lines = command_lines()
    assert "make demo" in lines
    assert "make test" in lines
    for line in lines:
        program, *arguments = line.split()
        if program == "make":
            assert {word for word in arguments if "=" not in word} <= targets, line
        elif program == "qkernels":
            assert arguments, line
            assert arguments[0] in commands, line
        else:
            assert program in OTHER_COMMANDS, line


def test_links_to_files_lead_somewhere() -> None:
    text = (ROOT / "README.md").read_text()
    targets = re.findall(r"\]\(([^)#\s]+)[^)]*\)", text)
    local = [target for target in targets if not re.match(r"[a-z]+:", target)]
    assert [target for target in local if not (ROOT / target).exists()] == []
