"""Where one can go, and what one can do from anywhere: what the command palette offers before it looks for anything."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from complaints.domain.vocabulary import Role
from web.console.inbox import VIEWS
from web.console.panels import TABS
from web.console.seat import (
    ADMINISTRATORS,
    AUDITORS,
    CASEWORK,
    EDITORS,
    LEADERS,
    OVERSEERS,
    STAFF,
    WITNESSES,
)
from web.language import N_, NAMES, Speech

_LOOK = "/console/account/look"


@dataclass(frozen=True)
class Place:
    """A page; or, with `post`, a form of such fields that is sent there. Texts are English, for the catalogue."""

    path: str
    title: str
    about: str
    roles: frozenset[Role] = STAFF
    post: Mapping[str, str] | None = field(default=None)

    def told(self, speech: Speech) -> dict[str, Any]:
        """For the script; `words` is what is looked for in: both languages, so that either is understood."""
        title, about = speech.say(self.title), speech.say(self.about)
        words = f"{title} {about} {self.title} {self.about}".casefold()
        return {"href": self.path, "title": title, "about": about, "words": words, "post": self.post}


#: By and by as the menu has them; what changes nothing but the look comes last.
PLACES: tuple[Place, ...] = (
    *(Place(f"/console/inbox?view={view}", name, N_("Inbox")) for view, name in VIEWS.items()),
    Place("/console/inbox", N_("Inbox"), N_("Page")),
    Place("/console/record", N_("Record a complaint"), N_("Page"), CASEWORK),
    Place("/console/knowledge", N_("Knowledge base"), N_("Page")),
    Place("/console/knowledge/new", N_("Write an article"), N_("Knowledge base"), EDITORS),
    Place("/console/admin/texts", N_("Canned texts"), N_("Page"), EDITORS),
    Place("/console/admin/texts/new", N_("Add a text"), N_("Canned texts"), EDITORS),
    Place("/console/approvals", N_("Approvals"), N_("Overview"), WITNESSES),
    Place("/console/team", N_("Team board"), N_("Overview"), OVERSEERS),
    Place("/console/team/rebalance", N_("Suggest an even load"), N_("Team board"), LEADERS),
    Place("/console/disposals", N_("Disposal"), N_("Overview"), OVERSEERS),
    Place("/console/disposals?view=erased", N_("Erased complaints"), N_("Disposal"), OVERSEERS),
    *(
        Place(f"/console/dashboards/{key}".rstrip("/"), name, N_("Dashboards"), OVERSEERS)
        for key, (name, _) in TABS.items()
    ),
    Place("/console/admin/people", N_("People"), N_("Administration"), ADMINISTRATORS),
    Place("/console/admin/people/new", N_("Add somebody"), N_("People and teams"), ADMINISTRATORS),
    Place("/console/admin/teams", N_("Teams"), N_("Administration"), ADMINISTRATORS),
    Place("/console/admin/keys", N_("API keys"), N_("Administration"), ADMINISTRATORS),
    Place("/console/admin/policy", N_("Policy versions"), N_("Administration"), AUDITORS),
    Place("/console/admin/outbox", N_("Outbox"), N_("Administration"), AUDITORS),
    Place("/console/admin/audit", N_("Audit trail"), N_("Administration"), AUDITORS),
    Place("/console/admin/audit/check", N_("Check the logs"), N_("Audit trail"), AUDITORS),
    Place("/console/account", N_("Account and sign-in"), N_("Page")),
    Place("/console/account/password", N_("Change password"), N_("Account and sign-in")),
    Place("/console/account/second-factor", N_("Second factor"), N_("Account and sign-in")),
    Place("/console/components", N_("Components"), N_("Design system")),
    Place("/console/components/portal", N_("Components of the portal"), N_("Design system")),
    Place(_LOOK, N_("Light"), N_("Colours"), post={"theme": "light"}),
    Place(_LOOK, N_("Dark"), N_("Colours"), post={"theme": "dark"}),
    Place(_LOOK, N_("As the device"), N_("Colours"), post={"theme": "auto"}),
    Place(_LOOK, N_("Comfortable"), N_("Density"), post={"density": "normal"}),
    Place(_LOOK, N_("Compact"), N_("Density"), post={"density": "compact"}),
    *(Place(_LOOK, name, N_("Language"), post={"language": code.value}) for code, name in NAMES.items()),
    Place("/console/sign-out", N_("Sign out"), N_("Account and sign-in"), post={}),
)


def open_to(roles: frozenset[Role], speech: Speech, words: str = "") -> list[dict[str, Any]]:
    """What one of these roles may reach and each of `words` names; everything for no words."""
    told = (place.told(speech) for place in PLACES if place.roles & roles)
    return [one for one in told if all(word in one["words"] for word in words.casefold().split())]
