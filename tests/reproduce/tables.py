"""Rows and tables for the tests of this folder."""

from mmrec.reproduce.spec import Profile, Row, Spec


def row(name: str, model: str = "sasrec", ablation: str | None = None, **options: str) -> Row:
    given = tuple((key.replace("__", "."), value) for key, value in options.items())
    return Row(name, name.upper(), model, ablation, given, None)


def spec(name: str, rows: list[Row], profile: Profile) -> Spec:
    return Spec(name, name, "comparison", None, ("ndcg@10",), tuple(rows), None, {profile.name: profile})
