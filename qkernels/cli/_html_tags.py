"""Elements of a page. Text is escaped unless an element made it, so nothing a user wrote becomes markup."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from html import escape

# Not allowed in XML, and nothing to see: control characters, and the undecodable parts of a file name.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")

VOID = frozenset({"br", "img", "meta"})
"""Elements without content."""


class Markup(str):
    """Text that is markup already; made by `element`, `join` and `raw` only."""

    __slots__ = ()


def element(name: str, /, *content: str, **attributes: str) -> Markup:
    """Return an element, well-formed as HTML and as XML.

    Parameters
    ----------
    name : str
        Of the element.
    *content : str
        Escaped, except for `Markup`.
    **attributes : str
        Values are escaped. A trailing underscore is dropped (``class_``), others become hyphens
        (``aria_label``).

    Returns
    -------
    Markup

    Examples
    --------
    >>> element("p", "1 < 2, ", element("b", "so"), class_="note")
    '<p class="note">1 &lt; 2, <b>so</b></p>'
    """
    pairs = "".join(f' {key.rstrip("_").replace("_", "-")}="{_text(value)}"' for key, value in attributes.items())
    return Markup(f"<{name}{pairs}/>" if name in VOID else f"<{name}{pairs}>{join(*content)}</{name}>")


def join(*content: str) -> Markup:
    """Put texts and elements one after the other.

    Parameters
    ----------
    *content : str
        Escaped, except for `Markup`.

    Returns
    -------
    Markup
    """
    return Markup("".join(part if isinstance(part, Markup) else _text(part) for part in content))


def raw(text: str) -> Markup:
    """Declare a constant of this package to be markup (a style sheet); never for anything a user wrote."""
    return Markup(text)


def section(heading: str, *content: str) -> Markup:
    """A part of the page under its heading."""
    return element("section", element("h2", heading), *content)


def bullets(items: Iterable[str]) -> Markup:
    """A list."""
    return element("ul", *(element("li", item) for item in items))


def definitions(pairs: Iterable[tuple[str, str]]) -> Markup:
    """Terms and what they mean."""
    return element("dl", *(element("div", element("dt", term), element("dd", text)) for term, text in pairs))


def row(heading: str, cells: Iterable[str], style: str = "") -> Markup:
    """A line of a table: its heading, and its cells, empty ones as a dash."""
    attributes = {"class_": style} if style else {}
    return element(
        "tr", element("th", heading, scope="row"), *(element("td", cell or "–") for cell in cells), **attributes
    )


def table(identifier: str, caption: str, headings: Sequence[str], rows: Iterable[Markup]) -> Markup:
    """A table that scrolls sideways where it is too wide, also by keyboard."""
    content = element(
        "table",
        element("caption", element("span", caption), id=identifier),
        element("thead", element("tr", *(element("th", heading, scope="col") for heading in headings))),
        element("tbody", *rows),
    )
    return element("div", content, class_="scroll", tabindex="0", role="region", aria_labelledby=identifier)


def _text(text: str) -> str:
    return escape(_UNPRINTABLE.sub("\ufffd", text), quote=True)
