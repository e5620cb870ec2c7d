import io

from rich.console import Console

from mmrec.results.table import Cell, Column, Table, marks
from mmrec.results.writers.csv import csv
from mmrec.results.writers.html import html
from mmrec.results.writers.latex import latex
from mmrec.results.writers.markdown import markdown
from mmrec.results.writers.terminal import write

HEADS = (Column("a|b", words=True), Column("n", "note"))
TABLE = Table(
    "50% of $x_1$ {a} ~ ^ \\ # [red]",
    HEADS,
    ((Cell("<b>*x*_y_[i]", "x", colour=0), Cell("1.00", 1.25, "0.5", "best", "*")), (Cell("z"), Cell("-"))),
    ("a note",),
)


def test_best_and_second_by_what_is_printed() -> None:
    assert marks(["0.1", "0.3", None, "0.2", "0.3"], highest=True) == [None, "best", None, "second", "best"]
    assert marks(["1,200", "900", "1,000"], highest=False) == [None, "best", "second"]
    assert marks(["0.1", "0.1"], highest=True) == [None, None]
    assert marks(["0.1", None], highest=True) == [None, None]


def test_every_writer_escapes_what_its_language_would_read() -> None:
    assert markdown(TABLE).splitlines()[2:] == [
        "| a\\|b | n note |",
        "| --- | ---: |",
        "| \\<b>\\*x\\*\\_y\\_[i] | **1.00 ± 0.5**\\* |",
        "| z | - |",
        "",
        "a note",
    ]
    text = latex(TABLE, "t")
    title = r"50\% of \$x\_1\$ \{a\} \textasciitilde{} \textasciicircum{} \textbackslash{} \# [red]"
    assert rf"\caption{{{title}}}" in text
    cell = r"\textbf{1.00 $\pm$ 0.5}\textsuperscript{*} \\"
    assert rf"\textless{{}}b\textgreater{{}}*x*\_y\_[i] & {cell}" in text
    assert csv(TABLE) == "a|b,n note\nx,1.25\nz,\n"
    page = html(TABLE)
    assert "&lt;b&gt;*x*_y_[i]" in page
    assert '<td class="best" data-value="1.25"><span>1.00*</span><small>± 0.5</small></td>' in page
    console = Console(file=io.StringIO(), width=80)
    write(TABLE, console)
    shown = console.file.getvalue()
    assert all(words in shown for words in ("[red]", "<b>*x*_y_[i]", "1.00 ± 0.5*", "a note"))
