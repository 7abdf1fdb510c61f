"""Elements escape, colours can be read, pictures draw any name."""

from __future__ import annotations

import re
from io import BytesIO
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.image import imread

from qkernels.cli._html_style import STYLE
from qkernels.cli._html_tags import bullets, element, join, raw, row, table
from qkernels.cli._models import Model
from qkernels.cli._pictures import gram_display, kernels_picture
from qkernels.cli._tables import Table

HOSTILE = '<b onclick="x">&amp;\'"</b>'


def test_text_is_escaped_and_elements_are_not() -> None:
    built = element("p", HOSTILE, element("b", "bold"), class_="note", aria_label=HOSTILE)
    parsed = ElementTree.fromstring(built)
    assert parsed.attrib == {"class": "note", "aria-label": HOSTILE}
    assert parsed.text == HOSTILE
    assert [child.tag for child in parsed] == ["b"]


def test_joined_text_is_escaped_once() -> None:
    assert join("1 < 2", raw("<br/>"), join("&")) == "1 &lt; 2<br/>&amp;"


@pytest.mark.parametrize("text", ["\x00", "\x1b", "\x85", "\udce9", "\uffff"], ids=ascii)
def test_unprintable_characters(text: str) -> None:
    built = element("p", f"a{text}b")
    assert ElementTree.fromstring(built.encode()).text == "a\ufffdb"


@pytest.mark.parametrize("text", ["a\tb\nc", "ünï 类 😀"], ids=["white space", "other scripts"])
def test_other_characters_stay(text: str) -> None:
    assert ElementTree.fromstring(element("p", text)).text == text


def test_lists_and_tables_escape() -> None:
    built = join(bullets([HOSTILE]), table("t", HOSTILE, [HOSTILE], [row(HOSTILE, [HOSTILE, ""])]))
    parsed = ElementTree.fromstring(f"<div>{built}</div>")
    assert "".join(parsed.itertext()) == 5 * HOSTILE + "–"
    assert not list(parsed.iter("b"))


def luminance(colour: str) -> float:
    """Relative luminance of WCAG 2.2."""
    channels = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


@pytest.mark.parametrize("theme", [0, 1, 2], ids=["light", "dark", "print"])
@pytest.mark.parametrize("ground", ["ground", "panel"])
@pytest.mark.parametrize("ink", ["ink", "faint", "accent"])
def test_contrast(theme: int, ground: str, ink: str) -> None:
    # 4.5 to 1 is level AA for text of this size.
    block = re.findall(r":root \{(.*?)\}", STYLE, flags=re.DOTALL)[theme]
    colours = dict(re.findall(r"--(\w+): (#[0-9a-f]{6});", block))
    bright, dark = sorted((luminance(colours[ground]), luminance(colours[ink])), reverse=True)
    assert (bright + 0.05) / (dark + 0.05) >= 4.5


def test_style_is_well_formed_without_escaping() -> None:
    assert not set("<&") & set(STYLE)
    assert STYLE.count("{") == STYLE.count("}")


def picture_table(name: str, labels: list[str]) -> Table:
    y = np.array([label for label in labels for _ in range(3)])
    return Table(name, np.zeros((len(y), 1)), y, "", len(y))


@pytest.mark.parametrize(
    ("name", "labels"),
    [
        ("$\\foo$", ["$\\bar$", "$"]),
        ("a\udce9", ["x", "y"]),
        ("n" * 250, ["long" * 50 + "a", "long" * 50 + "b"]),
        ("many", [f"class {i}" for i in range(30)]),
    ],
    ids=["formulas", "undecodable", "long", "many"],
)
# Fonts lack some characters; the command prints no warnings.
@pytest.mark.filterwarnings("ignore:Glyph:UserWarning")
def test_pictures_draw_any_name(name: str, labels: list[str]) -> None:
    data = picture_table(name, labels)
    same = data.y[:, None] == data.y[None, :]
    display = gram_display(Model("K", None), np.where(same, 0.75, 0.25) + 0.25 * np.eye(len(same)), 0.5, data)
    assert list(display.counts) == [3] * len(labels)  # no two classes became one
    picture = kernels_picture([display], data)
    assert picture.alt.endswith("K, gamma 0.5: 0.75 and 0.25.")
    assert imread(BytesIO(picture.png)).ndim == 3
