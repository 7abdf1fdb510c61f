"""The style sheet of the report: a screen, a phone of 400 px, dark rooms and paper."""

from __future__ import annotations

# No "<" and "&", so that the page is well-formed XML too. Colours have a contrast of 4.5 or more on their ground.
STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --faint: #57606a; --ground: #ffffff; --panel: #f3f5f7;
  --line: #d0d7de; --accent: #0b5cad; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e9ec; --faint: #a3adb8; --ground: #14171b; --panel: #1f242a; --line: #3a424b; --accent: #7ab8ff; }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body { margin: 0; background: var(--ground); color: var(--ink); line-height: 1.5;
  font: 1rem/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "Liberation Sans", Arial, sans-serif; }
main { max-width: 60rem; margin: 0 auto; padding: 1.5rem 1rem 3rem; overflow-wrap: anywhere; }
h1 { font-size: 1.75rem; line-height: 1.2; margin: 0 0 1rem; }
h2 { font-size: 1.25rem; line-height: 1.3; margin: 2.5rem 0 0.75rem; padding-top: 0.75rem;
  border-top: 1px solid var(--line); }
h3 { font-size: 1rem; margin: 1.5rem 0 0.5rem; }
main.wide { max-width: 72rem; }
p, ul { max-width: 46rem; }
p, ul, dl { margin: 0.75rem 0; }
a { color: var(--accent); }
.verdict { font-size: 1.2rem; font-weight: 600; margin: 0 0 1rem; padding: 0.75rem 1rem; max-width: none;
  background: var(--panel); border-left: 0.3rem solid var(--accent); }
.faint, caption, figcaption { color: var(--faint); }
.scroll { overflow-x: auto; margin: 1rem 0; }
.scroll:focus-visible { outline: 2px solid var(--accent); }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; overflow-wrap: normal; }
caption { text-align: left; padding-bottom: 0.5rem; }
caption span { display: block; max-width: calc(100vw - 2rem); }
th, td { padding: 0.4rem 0.6rem; text-align: right; vertical-align: bottom; border-bottom: 1px solid var(--line); }
td, tbody th { white-space: nowrap; }
th:first-child { text-align: left; padding-left: 0.4rem; }
tbody th { font-weight: 400; }
thead th { font-weight: 600; border-bottom: 2px solid var(--faint); }
tr.best { background: var(--panel); }
tr.best th, tr.best td { font-weight: 700; }
.mark { display: inline-block; margin-left: 0.5rem; padding: 0 0.4rem; border: 1px solid var(--accent);
  border-radius: 0.6rem; color: var(--accent); font-size: 0.8rem; font-weight: 600; }
dl div { display: grid; grid-template-columns: 13rem 1fr; gap: 0 1rem; margin: 0.4rem 0; }
dt { font-weight: 600; }
dd { margin: 0; min-width: 0; }
ul { padding-left: 1.25rem; }
li { margin: 0.3rem 0; }
code { font: 0.875em/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, "Liberation Mono", monospace; }
code.block { display: block; padding: 0.6rem 0.8rem; white-space: pre-wrap; background: var(--panel);
  border: 1px solid var(--line); }
figure { margin: 1.5rem 0; }
figure img { display: block; width: 100%; height: auto; background: #ffffff; border: 1px solid var(--line); }
.picture { overflow-x: auto; }
figcaption { margin-top: 0.5rem; max-width: 46rem; }
@media (max-width: 40rem) {
  main { padding: 1rem 0.75rem 2rem; }
  h1 { font-size: 1.4rem; }
  .verdict { font-size: 1.05rem; }
  dl div { display: block; }
  table { font-size: 0.875rem; }
  th, td { padding: 0.35rem 0.45rem; }
  figure img { min-width: 40rem; }
}
@media print {
  :root { --ink: #000000; --faint: #333333; --ground: #ffffff; --panel: #ffffff; --line: #999999;
    --accent: #000000; }
  body { font-size: 10pt; }
  main, main.wide { max-width: none; padding: 0; }
  .wide table, .wide .mark { font-size: 7.5pt; }
  .wide th, .wide td { padding: 0.3rem 0.35rem; }
  .scroll, .picture { overflow: visible; }
  figure img { min-width: 0; width: 80%; }
  h2, h3, caption { break-after: avoid; }
  figure, tr, .verdict, dl div, li { break-inside: avoid; }
}
@page { margin: 15mm; }
"""
