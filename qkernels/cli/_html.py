"""report.html: what the demo found on one page that needs nothing else, no network, no script."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence

from qkernels.cli import _noise_words, _words
from qkernels.cli._html_provenance import provenance
from qkernels.cli._html_style import STYLE
from qkernels.cli._html_tags import Markup, bullets, definitions, element, join, raw, row, section, table
from qkernels.cli._notes import limit_notes, reading_notes, references
from qkernels.cli._pictures import Picture
from qkernels.cli._record import Record
from qkernels.cli._results import NoiseSource, Results

# The browser is told to load nothing and to run nothing, in case a reader wonders.
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


def html_page(results: Results, record: Record, pictures: Sequence[Picture]) -> str:
    """Return the page.

    Parameters
    ----------
    results : Results
        The numbers, which become the same words and cells as in the terminal.
    record : Record
        The content of results.json; provenance is taken from it.
    pictures : sequence of Picture
        Embedded.

    Returns
    -------
    str
        HTML, also well-formed XML.
    """
    title = f"Quantum kernels on {results.table.name}"
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="generator", content=f"qkernels {record.versions['qkernels']}"),
        element("title", title),
        element("style", raw(STYLE)),
    )
    protocol = _words.protocol_sentence(results.settings, results.num_components)
    main = element(
        "main",
        element("h1", f"{title}: is a device worth it?"),
        element("p", _capital(_words.overall_sentence(results)), class_="verdict"),
        element("p", f"{_words.best_sentence(results.outcomes)} {_words.floor_sentence(results)}"),
        *([] if results.noise is None else [element("p", _noise_words.noise_sentence(results))]),
        element("p", f"{_words.table_sentence(results.table)}. {protocol}"),
        _comparison(results),
        _verdicts(results),
        *([] if results.noise is None else [_noise(results, results.noise)]),
        section("Pictures", *(_figure(picture) for picture in pictures)),
        _device(results),
        section("How to read this", bullets(reading_notes(results)), element("h3", "References"), _references(results)),
        section("What this report does not say", bullets(limit_notes(results))),
        provenance(record),
        **({} if results.noise is None else {"class_": "wide"}),
    )
    return f"<!DOCTYPE html>\n{element('html', head, element('body', main), lang='en')}\n"


def _comparison(results: Results) -> Markup:
    mark = join(" ", element("span", "best", class_="mark"))
    rows = [
        row(join(line.name, mark) if line.is_best else line.name, line.cells, style="best" if line.is_best else "")
        for line in _words.comparison(results)
    ]
    caption = "Tuned kernels on the same folds; the highest accuracy is marked."
    columns = ((column, f"{_capital(meaning)}.") for column, meaning in _words.units(results))
    return section("Comparison", table("comparison", caption, _words.headings(results), rows), definitions(columns))


def _verdicts(results: Results) -> Markup:
    rows = [row(name, cells) for name, *cells in _words.evidence(results)]
    judged = ((name, f"{_capital(sentence)}.") for name, sentence in _words.verdicts(results))
    return section(
        "Verdict",
        element("p", _words.rule_sentence(results.settings)),
        definitions(judged),
        table("evidence", "What the rule was applied to.", _words.EVIDENCE_HEADINGS, rows),
    )


def _noise(results: Results, noise: NoiseSource) -> Markup:
    rows = [row(name, cells) for name, *cells in _noise_words.noise_rows(results)]
    columns = ((_capital(column), f"{_capital(meaning)}.") for column, meaning in _noise_words.noise_units(results))
    found = ((name, f"{_capital(sentence)}.") for name, sentence in _noise_words.noise_findings(results))
    scales = [row(name, cells) for name, *cells in _noise_words.scale_rows(results)]
    return section(
        "Under noise",
        element("p", f"{_noise_words.noise_protocol(results.settings, noise)} {_noise_words.noise_method()}"),
        definitions(found),
        table("noise", "What noise costs, and what mitigation gives back.", _noise_words.NOISE_HEADINGS, rows),
        definitions(columns),
        table("noise-scale", _noise_words.scale_caption(results), _noise_words.SCALE_HEADINGS, scales),
    )


def _device(results: Results) -> Markup:
    rows = [
        row(_capital(cost.purpose), (f"{cost.circuits:,}", f"{cost.shots:,}", f"{cost.total_shots:,}"))
        for cost in _words.device_costs(results)
    ]
    return section(
        "What a device would cost",
        element("p", _words.device_sentence(results)),
        table("cost", "For one map at one bandwidth.", ("purpose", "circuits", "shots each", "shots in all"), rows),
        element(
            "p",
            "Each circuit runs U(x), then U(y) backwards: twice the gates and the depth of the comparison. Each "
            "further bandwidth, map or fold that is tried on the device costs a matrix of its own.",
        ),
    )


def _figure(picture: Picture) -> Markup:
    source = f"data:image/png;base64,{b64encode(picture.png).decode('ascii')}"
    image = element("img", src=source, alt=picture.alt)
    # On a phone the picture is wider than the screen; a keyboard can scroll what has a tabindex.
    frame = element("div", image, class_="picture", tabindex="0", role="region", aria_label=picture.file)
    return element("figure", frame, element("figcaption", picture.caption))


def _references(results: Results) -> Markup:
    return bullets(join(element("a", title, href=address), f": {use}.") for title, address, use in references(results))


def _capital(sentence: str) -> str:
    return sentence[0].upper() + sentence[1:]
