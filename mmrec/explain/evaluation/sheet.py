"""A sheet for blind readings: several texts for each pair in random order, without the name of their writer.

`sheet.html` shows each pair with fields to fill in and saves them as CSV; `sheet.csv` is the same for a spreadsheet.
`sheet_key.csv` tells afterwards which text was whose, and `readings` counts what the readers wrote.
"""

from __future__ import annotations

import csv
import html
import io
import random
from collections.abc import Mapping, Sequence
from pathlib import Path

from mmrec.explain.packet import Packet
from mmrec.utils.files import write_whole

NOTE = "not rated yet: the columns are empty"
QUESTIONS = {
    "truth": "Everything it says is stated above (1 no - 5 yes)",
    "use": "It makes clear why this was recommended (1 - 5)",
    "tone": "It reads well (1 - 5)",
}
BEST = "best"
"""Column of the text of a pair that the reader prefers, marked with any letter."""


def write_sheet(folder: Path, packets: Sequence[Packet], texts: Mapping[str, Sequence[str]], seed: int = 0) -> None:
    """Write the three files.

    Args:
        folder: where they are written.
        packets: evidence of each pair.
        texts: writer to its text for each pair.
        seed: seed of the order of the texts of each pair.
    """
    order = random.Random(seed)
    rows: list[dict[str, str]] = []
    for place, packet in enumerate(packets):
        names = list(texts)
        order.shuffle(names)
        for letter, name in zip("ABCDEFGHIJ", names, strict=False):
            rows.append(
                {
                    "id": f"{place + 1}{letter}", "writer": name, "title": packet.title,
                    "history": "; ".join(item.title for item in packet.history),
                    "facts": "; ".join(f"{fact}: {', '.join(values)}" for fact, values in packet.facts.items()),
                    "shared": "; ".join(_shared(packet)), "text": texts[name][place],
                }
            )  # fmt: skip
    shown = ["id", "title", "history", "facts", "shared", "text"]
    columns = [[_plain(row[name]) for name in shown] + [""] * (len(QUESTIONS) + 2) for row in rows]
    write_whole(folder / "sheet.csv", f"# {NOTE}\n" + _csv([[*shown, *QUESTIONS, BEST, "reader"], *columns]))
    write_whole(folder / "sheet_key.csv", _csv([["id", "writer"], *([row["id"], row["writer"]] for row in rows)]))
    write_whole(folder / "sheet.html", _page(rows))


def _shared(packet: Packet) -> list[str]:
    """Return what each history item has in common with the recommended item."""
    return [
        f"{item.title}: {', '.join(f'{name} {value}' for name, values in item.shared.items() for value in values)}"
        for item in packet.history
        if item.shared
    ]


def _csv(rows: Sequence[Sequence[str]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def _plain(cell: str) -> str:
    """Keep a spreadsheet from reading catalogue text as a formula."""
    return f"'{cell}" if cell.startswith(("=", "+", "-", "@", "\t", "\r")) else cell


def _page(rows: Sequence[Mapping[str, str]]) -> str:
    blocks, last = [], ""
    for row in rows:
        pair = row["id"][:-1]
        if pair != last:
            last = pair
            blocks.append(
                f"<h2>{html.escape(pair)}. {html.escape(row['title'])}</h2><p><b>History:</b> "
                f"{html.escape(row['history'])}<br><b>Facts:</b> {html.escape(row['facts'])}"
                f"<br><b>In common:</b> {html.escape(row['shared'])}</p>"
            )
        fields = " ".join(
            f'<label>{html.escape(question)} <input type="number" min="1" max="5" name="{row["id"]}:{name}"></label>'
            for name, question in QUESTIONS.items()
        )
        fields += f'<label>The best of this pair <input type="checkbox" name="{row["id"]}:{BEST}" value="x"></label>'
        text = html.escape(row["text"]) or "<i>no text</i>"
        blocks.append(f'<div class="text"><p><b>{html.escape(row["id"][-1])}</b> {text}</p>{fields}</div>')
    return _PAGE.replace("{{note}}", html.escape(NOTE)).replace("{{body}}", "\n".join(blocks))


_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Reading of explanations</title>
<style>body{font:16px/1.5 sans-serif;max-width:46rem;margin:auto;padding:1rem}.text{border-left:4px solid #ccc;
padding:.1rem 1rem;margin:1rem 0}label{display:block;color:#444}input[type=number]{width:4rem}</style></head>
<body><h1>Reading of explanations</h1><p><b>{{note}}</b></p>
<form id="sheet"><label>Your name <input name="reader"></label>
{{body}}
<button type="submit">Save as CSV</button></form>
<script>
document.getElementById("sheet").addEventListener("submit", function (event) {
  event.preventDefault();
  var texts = {}, data = new FormData(this), reader = data.get("reader") || "";
  var names = ["truth", "use", "tone", "best"], rows = [["id"].concat(names, "reader").join(",")];
  data.forEach(function (value, field) {
    if (field === "reader" || !value) return;
    var parts = field.split(":");
    (texts[parts[0]] = texts[parts[0]] || {})[parts[1]] = value;
  });
  Object.keys(texts).forEach(function (id) {
    rows.push([id].concat(names.map(function (n) { return texts[id][n] || ""; }),
                          '"' + reader.replace(/"/g, '""') + '"').join(","));
  });
  var link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([rows.join("\\n") + "\\n"], {type: "text/csv"}));
  link.download = "readings.csv";
  link.click();
});
</script></body></html>
"""
