"""A sheet for human rating: the texts of all arms in random order, without saying whose they are. Not filled in here.

`sheet.html` shows a pair and its texts with fields to fill in and saves them as CSV; `sheet.csv` is the same for a
spreadsheet, and `sheet_key.csv` says afterwards which text was whose.
"""

from __future__ import annotations

import csv
import html
import io
import random
from collections.abc import Mapping, Sequence
from pathlib import Path

from mmrec.explain.outcome import Explanation
from mmrec.explain.packet import Packet
from mmrec.utils.files import write_whole

NOT_RUN = "not rated yet: the columns are empty"
QUESTIONS = {
    "stated": "Everything it says is stated above (1 no - 5 yes)",
    "convincing": "It makes clear why this was recommended (1 - 5)",
    "readable": "It reads well (1 - 5)",
}


def write_sheet(
    folder: Path, packets: Sequence[Packet], arms: Mapping[str, Sequence[Explanation]], seed: int = 0
) -> None:
    """Write the three files; texts of a pair are in an order of their own."""
    order = random.Random(seed)
    rows: list[dict[str, str]] = []
    for place, packet in enumerate(packets):
        names = list(arms)
        order.shuffle(names)
        for letter, name in zip("ABCDEFGHIJ", names, strict=False):
            rows.append(
                {
                    "id": f"{place + 1}{letter}", "arm": name, "title": packet.title,
                    "history": "; ".join(item.title for item in packet.history),
                    "facts": "; ".join(f"{fact}: {', '.join(values)}" for fact, values in packet.facts.items()),
                    "text": arms[name][place].text,
                }
            )  # fmt: skip
    shown = ["id", "title", "history", "facts", "text"]
    columns = [[_plain(row[name]) for name in shown] + [""] * (len(QUESTIONS) + 1) for row in rows]
    write_whole(folder / "sheet.csv", f"# {NOT_RUN}\n" + _csv([[*shown, *QUESTIONS, "rater"], *columns]))
    write_whole(folder / "sheet_key.csv", _csv([["id", "arm"], *([row["id"], row["arm"]] for row in rows)]))
    write_whole(folder / "sheet.html", _page(rows))


def _csv(rows: Sequence[Sequence[str]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def _plain(cell: str) -> str:
    """Keep a spreadsheet from taking catalogue text for a formula."""
    return f"'{cell}" if cell.startswith(("=", "+", "-", "@", "\t", "\r")) else cell


def _page(rows: Sequence[Mapping[str, str]]) -> str:
    blocks, last = [], ""
    for row in rows:
        pair = row["id"][:-1]
        if pair != last:
            last = pair
            blocks.append(
                f"<h2>{html.escape(pair)}. {html.escape(row['title'])}</h2><p><b>History:</b> "
                f"{html.escape(row['history'])}<br><b>Facts:</b> {html.escape(row['facts'])}</p>"
            )
        fields = " ".join(
            f'<label>{html.escape(question)} <input type="number" min="1" max="5" name="{row["id"]}:{name}"></label>'
            for name, question in QUESTIONS.items()
        )
        text = html.escape(row["text"]) or "<i>no text</i>"
        blocks.append(f'<div class="text"><p><b>{html.escape(row["id"][-1])}</b> {text}</p>{fields}</div>')
    return _PAGE.replace("{{note}}", html.escape(NOT_RUN)).replace("{{body}}", "\n".join(blocks))


_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Rating of explanations</title>
<style>body{font:16px/1.5 sans-serif;max-width:46rem;margin:auto;padding:1rem}.text{border-left:4px solid #ccc;
padding:.1rem 1rem;margin:1rem 0}label{display:block;color:#444}input[type=number]{width:4rem}</style></head>
<body><h1>Rating of explanations</h1><p><b>{{note}}</b></p>
<form id="sheet"><label>Your name <input name="rater"></label>
{{body}}
<button type="submit">Save as CSV</button></form>
<script>
document.getElementById("sheet").addEventListener("submit", function (event) {
  event.preventDefault();
  var rows = ["id,question,rating,rater"], data = new FormData(this), rater = data.get("rater") || "";
  data.forEach(function (value, name) {
    if (name === "rater" || !value) return;
    rows.push(name.split(":").concat(value, '"' + rater.replace(/"/g, '""') + '"').join(","));
  });
  var link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([rows.join("\\n") + "\\n"], {type: "text/csv"}));
  link.download = "ratings.csv";
  link.click();
});
</script></body></html>
"""
