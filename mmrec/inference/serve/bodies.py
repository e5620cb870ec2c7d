"""The bodies of requests and answers, with their limits."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

ItemId = Annotated[
    str,
    BeforeValidator(lambda value: str(value) if type(value) is int else value),  # as in Python
    StringConstraints(min_length=1, max_length=256),
]
Time = Annotated[int, Field(ge=-(2**53), le=2**53)]
History = Annotated[list[ItemId], Field(max_length=10_000, description="Ids of items, oldest first.")]
Times = Annotated[
    list[Time] | None,
    Field(max_length=10_000, description="Time of each item in seconds since 1970, for time-aware models."),
]
User = Annotated[
    ItemId | None, Field(description="A user of the data, for models with a vector per user: LightGCN, VBPR, MMGCN.")
]
Length = Annotated[int, Field(ge=1, le=1000, description="Length of the list.")]


class Body(BaseModel):
    """A body without other keys than its own."""

    model_config = ConfigDict(extra="forbid", strict=True)


class RecommendBody(Body):
    """A question for the best items after a history."""

    history: History
    k: Length = 10
    times: Times = None
    user: User = None
    candidates: Annotated[
        list[ItemId] | None, Field(max_length=100_000, description="Items to choose from; all by default.")
    ] = None
    exclude: Annotated[list[ItemId], Field(max_length=10_000, description="Items never to recommend.")] = []
    where: Annotated[
        dict[str, str | list[str]],
        Field(
            max_length=16,
            description="By the name of an attribute, its value or a list of values of which the item must have one.",
        ),
    ] = {}


class RankBody(Body):
    """A question for the order of given items."""

    history: History
    items: Annotated[list[ItemId], Field(min_length=1, max_length=10_000)]
    times: Times = None
    user: User = None


class SimilarBody(Body):
    """A question for items that are similar to one."""

    item: ItemId
    k: Length = 10


class ExplainBody(Body):
    """A question why an item is recommended."""

    history: History
    item: ItemId
    times: Times = None
    user: User = None
    stream: Annotated[
        bool, Field(description="Send events: the answer from facts at once, then the text of a language model.")
    ] = False


class Ranked(BaseModel):
    """An item of a list."""

    item: str
    score: float
    title: str | None


class ListAnswer(BaseModel):
    """A list of items, best first."""

    items: list[Ranked]
    unknown: int = Field(description="Number of ids of the history that are not in the catalogue; they were left out.")
    popular: bool = Field(description="Whether no id was known, so that the list is of the most popular items.")


class SentenceAnswer(BaseModel):
    """A sentence with the ids of the statements it rests on."""

    text: str
    statements: list[str]


class StatementAnswer(BaseModel):
    """A fact that explanations are made of."""

    id: str
    kind: str
    text: str


class ExplainAnswer(BaseModel):
    """Why an item is recommended."""

    text: str
    sentences: list[SentenceAnswer]
    statements: list[StatementAnswer]


class ItemAnswer(BaseModel):
    """An item of the catalogue."""

    item: str
    title: str | None
    text: str | None
    image: bool = Field(description="Whether `/items/{id}/image` has an image.")
    attributes: dict[str, str]


class ItemsAnswer(BaseModel):
    """Items of the catalogue, the most popular first."""

    items: list[ItemAnswer]
    found: int = Field(description="Number of items that match.")


class HealthAnswer(BaseModel):
    """What is served."""

    status: str
    model: str
    data_hash: str
    items: int
    loaded: str = Field(description="When the model was loaded.")


class Problem(BaseModel):
    """What is wrong with a request, in one sentence."""

    detail: str
