"""The composition root: reads settings and the wall clock, and binds the ports of the domain to their real parts.

One `App` per process, made on first use. Nothing else in the product reads the time or the environment.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from functools import cache, cached_property
from typing import Any
from uuid import UUID

from sqlalchemy import Engine

from complaints import crashpoints
from complaints.archive.bag import BagReceipt, write_bag
from complaints.archive.disposal import CaseFiles
from complaints.archive.dossier import Dossier
from complaints.domain.policy import PolicyBundle
from complaints.domain.ports import SYSTEM, Actor, Candidate, Classifier, Renderer, Sender
from complaints.notify.render import TemplateRenderer
from complaints.notify.sender import AppriseSender
from complaints.runs.prefect_api import PrefectRuns
from complaints.services import administration
from complaints.services.dispatch import LEASE, Dispatcher
from complaints.services.oidc import SignOn
from complaints.services.tracking import Tracking
from complaints.services.webhooks import HttpHook
from complaints.store.blobs import Blobs
from complaints.store.engine import make_engine
from complaints.store.pace import SharedPace
from complaints.store.similar import earlier
from complaints.store.tables import Complainant, Complaint
from complaints.store.unit import Store, Work
from complaints.triage.duplicates import Known, rank
from complaints.triage.rules import RuleClassifier
from config.background import Background
from config.lexicons import load_lexicon
from config.policy import load as load_policy
from config.policybook import StoredPolicies
from config.settings import Settings, load_settings


def wall_clock() -> datetime:
    """Now, in UTC. The only clock of the product."""
    return datetime.now(UTC)


class App:
    """Everything a process needs, made when first asked for."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        crashpoints.arm(os.environ.get("COMPLAINTS_CRASH_AT") or None)

    @cached_property
    def engine(self) -> Engine:
        """The pool of connections to our database."""
        return make_engine(self.settings.sqlalchemy_url())

    @cached_property
    def policies(self) -> StoredPolicies:
        """All activated policies. Only an installation that has none yet takes the configured folder as its first."""
        book = StoredPolicies(self.engine, wall_clock)
        if not book.versions():
            self._activate(book, load_policy(self.settings.policy_dir), SYSTEM, None)
        return book

    def activate_policy(
        self, bundle: PolicyBundle, actor: Actor, since: datetime | None = None, by: str | None = None
    ) -> bool:
        """Put a policy in force from `since`; without it now, and only if this installation has never had it.

        The log of administration says by whom (`by`, or the actor's own name). False when nothing changed.
        """
        return self._activate(self.policies, bundle, actor, since, by)

    def adopt_policy(self, actor: Actor) -> bool:
        """Put the configured folder in force where it has changed; only a start of the whole system does this.

        `PolicyInvalid` says what is wrong with it, or with its words, before anything changes.
        """
        bundle = load_policy(self.settings.policy_dir)
        load_lexicon(self.settings.policy_dir)
        return self.activate_policy(bundle, actor)

    def _activate(
        self, book: StoredPolicies, bundle: PolicyBundle, actor: Actor, since: datetime | None, by: str | None = None
    ) -> bool:
        changed = book.activate(bundle, by or actor.name, since)
        if changed:
            with Store(self.engine, book, wall_clock).work(actor) as work:
                administration.policy_activated(work, bundle, by or actor.name, since or work.now)
        return changed

    @cached_property
    def background(self) -> Background:
        """Threads that act on intents right after commit."""
        return Background(lambda intent, leased: self.dispatcher.act(intent, leased=leased), wall_clock)

    @cached_property
    def store(self) -> Store:
        """Units of work."""
        return Store(self.engine, self.policies, wall_clock, self.background.submit, LEASE)

    @cached_property
    def bulk_store(self) -> Store:
        """Units of work of an import: the regular dispatch acts on what they record, not this short-lived process."""
        return Store(self.engine, self.policies, wall_clock)

    @cached_property
    def classifier(self) -> Classifier:
        """The rule-based classifier of the active policy."""
        policy = self.policies.active(wall_clock())
        return RuleClassifier(load_lexicon(self.settings.policy_dir), policy.taxonomy, policy.lifecycle)

    @cached_property
    def renderer(self) -> Renderer:
        """Letters in both languages."""
        return TemplateRenderer(self.settings.company, self.settings.time_zone)

    @cached_property
    def sender(self) -> Sender:
        """Apprise, or the local folder of .eml files where no provider is configured."""
        return AppriseSender.from_file(
            self.settings.providers_file,
            self.settings.home / "outgoing",
            lambda name, per_minute: SharedPace(self.engine, name, per_minute),
        )

    @cached_property
    def runs(self) -> PrefectRuns:
        """Flow runs, over Prefect's REST API."""
        return PrefectRuns(self.settings.prefect_api_url, self.settings.prefect_auth())

    @cached_property
    def tracking(self) -> Tracking:
        """Signed links for complainants."""
        valid_for = timedelta(days=self.settings.link_days)
        return Tracking(self.settings.secret(), self.settings.link_base, wall_clock, valid_for)

    @cached_property
    def sign_on(self) -> SignOn | None:
        """The company's OpenID Connect provider, where one is set."""
        of = self.settings
        if not of.oidc_issuer:
            return None
        back = f"{of.link_base.rstrip('/')}/console/sign-in/oidc/back"
        return SignOn(of.oidc_issuer, of.oidc_client_id, of.oidc_client_secret, back)

    @cached_property
    def dispatcher(self) -> Dispatcher:
        """Acts on outbox rows."""
        of, files = self.settings, CaseFiles(self.blobs, self.settings.archive_url())
        links = self.tracking.url
        return Dispatcher(self.store, self.renderer, self.sender, self.runs, HttpHook(), links, files, of.language)

    @cached_property
    def blobs(self) -> Blobs:
        """Attachments, by SHA-256."""
        return Blobs(self.settings.home / "attachments")

    def find_duplicates(self, work: Work, complaint: Complaint) -> list[Candidate]:
        """Earlier complaints of the same person or order, ranked by likeness of their words."""
        others = earlier(work.session, complaint)
        return rank(_known(work, complaint), [_known(work, other) for other in others]) if others else []

    def write_bag(self, collected: dict[str, Any]) -> BagReceipt:
        """Store a collected dossier as a bag."""
        files = ((a["name"], a["sha256"], self.blobs.open(a["sha256"])) for a in collected["attachments"])
        return write_bag(Dossier(**collected), files, self.settings.archive_url(), organization=self.settings.company)

    def states(self, run_ids: list[UUID]) -> dict[UUID, str]:
        """State type of each run that Prefect knows."""
        return self.runs.states(run_ids)


def _known(work: Work, complaint: Complaint) -> Known:
    who = work.session.get_one(Complainant, complaint.complainant_id)
    return Known(
        complaint.id,
        complaint.reference,
        complaint.subject,
        complaint.narrative,
        who.email or who.phone,
        complaint.order_ref,
    )


@cache
def app() -> App:
    """This process's `App`."""
    return App(load_settings())
