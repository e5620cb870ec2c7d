"""A table as HTML, for the page of all results: `report/templates/page.js` sorts it, `style.css` gives its look."""

from __future__ import annotations

from html import escape

from mmrec.results.table import Cell, Column, Table


def html(table: Table) -> str:
    """Return a table without its title and notes; everything in it is escaped."""
    heads = "\n".join(map(_head, table.columns))
    rows = "\n".join(f"<tr>{''.join(map(_cell, row, table.columns))}</tr>" for row in table.rows)
    return (
        f'<div class="card scroll"><table>\n<thead><tr>\n{heads}\n</tr></thead>\n<tbody>\n{rows}\n</tbody>\n'
        "</table></div>"
    )


def _head(column: Column) -> str:
    look = (' class="text" data-text' if column.words else "") + (' aria-sort="descending"' if column.sorted else "")
    note = f"<small>{escape(column.note)}</small>" if column.note else ""
    return f'<th scope="col"{look}><button type="button"><span>{escape(column.heading)}</span>{note}</button></th>'


def _cell(cell: Cell, column: Column) -> str:
    value = escape("" if cell.value is None else str(cell.value))
    text = escape(cell.text + cell.signs)
    if cell.colour is not None:
        dot = f'<i class="swatch c{cell.colour % 8}"></i>'
        return f'<th scope="row" data-value="{value}" title="{text}">{dot}{text}</th>'
    look = " ".join(word for word in (cell.mark, "text" if column.words else None) if word)
    hint = f' title="{escape(cell.hint)}"' if cell.hint else ""
    shade = f' style="background: color-mix(in srgb, var(--accent) {cell.shade}%, transparent)"' if cell.shade else ""
    spread = f"<small>± {escape(cell.spread)}</small>" if cell.spread else ""
    return f'<td class="{look}" data-value="{value}"{hint}{shade}><span>{text}</span>{spread}</td>'
