"""The bodies of requests and answers, which the API's description is made of."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from panglot.search.serve import limits

VISIBLE = r"^[^\x00-\x1f\x7f]*$"  # no control characters
Question = Annotated[str, StringConstraints(min_length=1, max_length=limits.LONGEST_QUERY)]
Text = Annotated[str, StringConstraints(max_length=limits.LONGEST_TEXT)]
Code = Annotated[str, StringConstraints(min_length=2, max_length=35)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=VISIBLE)]
Value = Annotated[str, StringConstraints(max_length=200, pattern=VISIBLE)]
Condition = Annotated[
    str, StringConstraints(max_length=400, pattern=r"^[^=\x00-\x1f\x7f]+=[^\x00-\x1f\x7f]*$")
]

# options of a search, in a body and in an address
Results = Annotated[int, Field(ge=1, le=limits.MOST_RESULTS, description="Passages per question.")]
Languages = Annotated[
    list[Code],
    Field(max_length=limits.MOST_LANGUAGES, description="Only passages in these languages; none: all."),
]
Balance = Annotated[
    Literal["scores", "turns"] | None,
    Field(description="Balance the languages of a list: by calibrated scores, or by turns."),
]
Hybrid = Annotated[bool, Field(description="Fuse with BM25, the search by words.")]


class SearchRequest(BaseModel):
    """Questions, and what their answers may be."""

    model_config = ConfigDict(extra="forbid")

    queries: list[Question] = Field(
        min_length=1, max_length=limits.MOST_QUERIES, description="Questions in any language."
    )
    k: Results = 10
    languages: Languages = []
    where: dict[Name, Value] = Field(
        {},
        max_length=limits.MOST_CONDITIONS,
        description="Only passages whose metadata has these values.",
        json_schema_extra={"additionalProperties": False},  # names that do not fit the pattern
    )
    balanced: Balance = None
    hybrid: Hybrid = False


class SearchAddress(BaseModel):
    """One question, in an address."""

    model_config = ConfigDict(extra="forbid")

    q: Question = Field(description="A question in any language.")
    k: Results = 10
    languages: Languages = []
    where: list[Condition] = Field(
        [],
        max_length=limits.MOST_CONDITIONS,
        description="Only passages whose metadata has this: key=value (of one key, the last).",
    )
    balanced: Balance = None
    hybrid: Hybrid = False

    def request(self) -> SearchRequest:
        """Return the same as a body would have it."""
        where = dict(condition.split("=", 1) for condition in self.where)
        options = self.model_dump(exclude={"q", "where"})
        return SearchRequest.model_construct(queries=[self.q], where=where, **options)


class Hit(BaseModel):
    """One passage that was found."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    document: str = Field(description="Id of the document that it is from.")
    score: float = Field(description="Higher is better; comparable within one list.")
    language: str
    title: str
    text: str
    source: str = Field(description="The file that it came from.")
    metadata: dict[str, Any]
    weak: bool = Field(description="No nearer to the question than chance would have it.")


class Answers(BaseModel):
    """What was found for one question, best first."""

    query: str
    hits: list[Hit]


class SearchResponse(BaseModel):
    """What was found, in the order of the questions."""

    results: list[Answers]
    seconds: float = Field(description="Time taken here.")


class EncodeRequest(BaseModel):
    """Texts to be turned into vectors."""

    model_config = ConfigDict(extra="forbid")

    texts: list[Text] = Field(min_length=1, max_length=limits.MOST_TEXTS)
    role: Literal["query", "passage"] = Field(
        "query", description="Which prompt of the model goes before each text."
    )


class EncodeResponse(BaseModel):
    """Unit vectors, in the order of the texts."""

    model: str
    dimension: int
    vectors: list[list[float]]


class LanguageCount(BaseModel):
    """A language of the index."""

    code: str = Field(description="BCP-47.")
    name: str
    passages: int


class LanguageList(BaseModel):
    """The languages of the index."""

    languages: list[LanguageCount]


class Health(BaseModel):
    """Whether the server works, and with what."""

    status: Literal["ok"]
    model: str
    passages: int
    waiting: int = Field(description="Requests that wait to be encoded.")
