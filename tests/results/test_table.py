from mmrec.results.table import Entry, Table, latex, markdown, marks


def test_best_and_second_by_what_is_printed() -> None:
    assert marks(["0.1", "0.3", None, "0.2", "0.3"], highest=True) == [None, "best", None, "second", "best"]
    assert marks(["1,200", "900", "1,000"], highest=False) == [None, "best", "second"]
    assert marks(["0.1", "0.1"], highest=True) == [None, None]
    assert marks(["0.1", None], highest=True) == [None, None]


def test_what_either_language_would_read_is_escaped() -> None:
    made = Table("50% of $x_1$ {a} ~ ^ \\ #", ("a|b", "n"), ((Entry("<b>*x*_y_"), Entry("1", "best", "*")),))
    assert markdown(made).splitlines() == ["| a\\|b | n |", "| --- | ---: |", "| \\<b>\\*x\\*\\_y\\_ | **1**\\* |"]
    text = latex(made, "t")
    title = r"50\% of \$x\_1\$ \{a\} \textasciitilde{} \textasciicircum{} \textbackslash{} \#"
    assert rf"\caption{{{title}}}" in text
    assert r"\textless{}b\textgreater{}*x*\_y\_ & \textbf{1}\textsuperscript{*} \\" in text
