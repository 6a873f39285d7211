"""The complaint form's answers: from fields to a `NewComplaint`, or what is wrong beside each field."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError
from starlette.datastructures import FormData

from complaints.domain.errors import FieldProblem
from complaints.domain.intake import NARRATIVE_LIMIT, NewComplaint
from complaints.domain.validation import problems_of
from complaints.domain.vocabulary import Channel, Language, Need
from web.language import N_, Speech
from web.portal import files

#: Fields of the form, in the order of the page.
TEXTS = ("narrative", "product", "order_ref", "desired_remedy", "who", "name", "email", "phone", "safe_contact")
NEEDS: Mapping[str, str] = {
    Need.NO_PHONE.value: N_("Please do not call me"),
    Need.NO_EMAIL.value: N_("Please do not send me e-mail"),
    Need.LARGE_PRINT.value: N_("I need large print"),
    Need.INTERPRETER.value: N_("I need an interpreter"),
    Need.VULNERABLE.value: N_("I am in a difficult situation (illness, age, bereavement, money worries…)"),
    Need.SAFE_CONTACT_ONLY.value: N_("It is only safe to contact me in one way"),
}
_PERSON = ("name", "email", "phone", "needs", "safe_contact")
_SAID: Mapping[tuple[str, str], str] = {
    ("narrative", "string_too_short"): N_("Tell us what happened."),
    ("narrative", "string_too_long"): N_(
        "This is too long: at most %(limit)s characters. Put the rest into a file and attach it."
    ),
    ("desired_remedy", "string_too_long"): N_("This is too long: at most 2000 characters."),
    ("email", "string_pattern_mismatch"): N_("Write the address like name@example.com."),
    ("phone", "string_pattern_mismatch"): N_("Write the number in digits, like 13800138000 or +44 20 7946 0000."),
}
Answers = dict[str, Any]


def empty(product: str = "") -> Answers:
    """A form nobody has filled in yet."""
    return dict.fromkeys(TEXTS, "") | {"product": product[:300], "needs": [], "lost": ""}


def read(form: FormData) -> Answers:
    """What was typed, unjudged; `lost` where files had been chosen, which no page can give back to a browser."""
    found: Answers = {name: str(form.get(name, "")).replace("\r\n", "\n") for name in TEXTS}
    found["needs"] = [n for n in NEEDS if n in form.getlist("needs")]
    found["lost"] = "1" if form.get("lost") or files.chosen(form) else ""
    return found


def judge(answers: Answers, speech: Speech) -> tuple[NewComplaint | None, dict[str, str]]:
    """The complaint, or what is wrong with which field."""
    wrong = {name: speech.say(said) for name, said in _contact(answers).items()}
    anonymous = answers["who"] == "anonymous"
    person = {name: answers[name] for name in _PERSON if answers[name]}
    if anonymous:
        person.pop("name", None)
    if Need.SAFE_CONTACT_ONLY not in answers["needs"]:
        person.pop("safe_contact", None)
    plain = ("narrative", "product", "desired_remedy", "order_ref")
    try:
        new = NewComplaint.model_validate(
            {name: answers[name] for name in plain}
            | {"complainant": person, "channel": Channel.PORTAL, "language": Language(speech.language)}
        )
    except ValidationError as error:
        for problem in problems_of(error):
            wrong.setdefault(problem.field.split(".")[-1], _in_words(problem, speech))
        return None, _in_order(wrong)
    return (None if wrong else new), _in_order(wrong)


def _in_order(wrong: dict[str, str]) -> dict[str, str]:
    """As the fields stand on the page."""
    return {name: wrong[name] for name in (*TEXTS, "needs") if name in wrong}


def _contact(answers: Answers) -> dict[str, str]:
    """What the fields about the person lack together."""
    needs, email, phone = answers["needs"], answers["email"].strip(), answers["phone"].strip()
    wrong = {}
    if answers["who"] not in ("named", "anonymous"):
        wrong["who"] = N_("Choose whether you give your name.")
    if Need.SAFE_CONTACT_ONLY in needs:
        if not answers["safe_contact"].strip():
            wrong["safe_contact"] = N_("Give the one address or number that is safe.")
    elif answers["who"] == "named" and not email and not phone:
        wrong["email"] = N_("Give an e-mail address or a telephone number, so that we can answer you.")
    elif answers["who"] == "named" and not (
        (email and Need.NO_EMAIL not in needs) or (phone and Need.NO_PHONE not in needs)
    ):
        wrong["needs"] = N_("With these choices we could not reach you. Leave us one way, or add another above.")
    if answers["who"] == "named" and not answers["name"].strip():
        wrong["name"] = N_("Give your name, or choose to stay anonymous.")
    return wrong


def _in_words(problem: FieldProblem, speech: Speech) -> str:
    field = problem.field.split(".")[-1]
    said = _SAID.get((field, problem.code))
    if said is None and problem.code == "string_too_long":
        said = N_("This is too long: at most 300 characters.")
    text = speech.say(said or N_("This contains characters that we cannot store. Type it again, please."))
    return text % {"limit": f"{NARRATIVE_LIMIT:,}"} if "%(limit)s" in text else text
