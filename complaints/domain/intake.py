"""A complaint as it comes in, whatever the channel: foreign data is turned into one `NewComplaint` at the edge."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    field_validator,
)

from complaints.domain.validation import EMAIL, NO_NUL, OPTIONAL_TAG, PHONE, TAG, narrow, storable, visible
from complaints.domain.vocabulary import Channel, Language, Need

Short = Annotated[str, StringConstraints(strip_whitespace=True, max_length=300, pattern=NO_NUL)]


def plain_address(text: str) -> str:
    """An e-mail address without what a keyboard or copying adds: full-width and invisible characters, blanks around."""
    return str(narrow(text)).replace("。", ".").strip()


def _plain(value: object) -> object:
    return plain_address(value) if isinstance(value, str) else value


Email = Annotated[str, StringConstraints(strip_whitespace=True, max_length=254, pattern=EMAIL), BeforeValidator(_plain)]


def plain_number(text: str) -> str:
    """A telephone number without what people write between its digits: one number has one spelling, and is found."""
    return re.sub(r"[ ()\-/]", "", narrow(text).strip())


Phone = Annotated[
    str,
    BeforeValidator(narrow),
    StringConstraints(strip_whitespace=True, pattern=PHONE),
    AfterValidator(plain_number),
]
#: Nobody's complaint is older; a year like 0001 is a default that slipped through.
_EARLIEST_YEAR = 1970
#: A plain number is no date, though pydantic would take it for seconds since 1970.
_DATE_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d")
#: The longest narrative taken, in characters. Longer ones belong into an attachment.
NARRATIVE_LIMIT = 100_000


class NewComplainant(BaseModel):
    """Who complains; all empty means anonymous."""

    model_config = ConfigDict(extra="forbid", frozen=True, json_schema_extra={"examples": [{"name": "王芳"}]})

    name: Short = Field(default="", description="Name, as they want to be addressed.")
    email: Email | None = Field(default=None, description="E-mail address for our letters.")
    phone: Phone | None = Field(default=None, description="Telephone number, with country code.")
    needs: tuple[Need, ...] = Field(default=(), max_length=10, description="What we must respect.")
    safe_contact: Short = Field(default="", description="The only address or number that may be used, if any.")


class NewComplaint(BaseModel):
    """Everything a complainant or an agent may tell at intake."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_extra={
            "examples": [
                {
                    "subject": "热水器漏水",
                    "narrative": "上周安装的热水器漏水,客服电话一直打不通,要求尽快维修。",
                    "language": "zh-CN",
                    "channel": "api",
                    "complainant": {"name": "王芳", "email": "wang.fang@example.com"},
                }
            ]
        },
    )

    narrative: Annotated[
        str,
        StringConstraints(strip_whitespace=True, min_length=1, max_length=NARRATIVE_LIMIT, pattern=NO_NUL),
        AfterValidator(visible),
    ] = Field(description="What happened, in the complainant's own words.")
    subject: Short = Field(default="", description="A short title; empty takes the beginning of the narrative.")
    channel: Channel = Field(default=Channel.API, description="How the complaint arrived.")
    language: Language | None = Field(default=None, description="Language of our letters; empty: found from the words.")
    product: Short = Field(default="", description="Product or service it is about.")
    desired_remedy: Annotated[str, StringConstraints(strip_whitespace=True, max_length=2000, pattern=NO_NUL)] = Field(
        default="", description="What would put it right for the complainant."
    )
    order_ref: Short = Field(default="", description="Order, contract or account number.")
    jurisdiction: Annotated[str, StringConstraints(pattern=OPTIONAL_TAG)] = Field(
        default="", description="Jurisdiction tag that selects regulatory profiles, e.g. `uk` or `cn`."
    )
    received_at: AwareDatetime | None = Field(
        default=None, description="When it reached us, if earlier than now (a letter, a mail that waited)."
    )
    complainant: NewComplainant = Field(default=NewComplainant(), description="Who complains.")
    external_source: Annotated[str, StringConstraints(pattern=TAG)] | None = Field(
        default=None, description="System it was taken from; together with external_id taken only once."
    )
    external_id: Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=NO_NUL)] | None = Field(
        default=None, description="Its id in that system."
    )
    confidential: bool = Field(default=False, description="Only leads, managers and its own handlers may see it.")
    extra: dict[str, Any] = Field(default_factory=dict, description="Further columns of an import, kept as they came.")

    @field_validator("received_at", mode="before")
    @classmethod
    def _written_out(cls, value: object) -> object:
        if isinstance(value, str) and not _DATE_TIME.match(value):
            raise ValueError("give date, time and offset (RFC 3339), e.g. 2026-03-01T09:00:00+08:00")
        return value

    @field_validator("received_at")
    @classmethod
    def _plausible(cls, value: datetime | None) -> datetime | None:
        if value is not None and value.year < _EARLIEST_YEAR:
            raise ValueError(f"lies before {_EARLIEST_YEAR}; give when it reached you")
        return value

    @field_validator("extra")
    @classmethod
    def _bounded(cls, value: dict[str, Any]) -> dict[str, Any]:
        return storable(value, 20_000)
