"""Agents and customers who play their parts through the real doors: the REST API and the links in the letters.

The demonstration and the benchmarks use them; nothing in the product depends on them.
"""

from __future__ import annotations

import re
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import httpx

from complaints.domain.vocabulary import Role
from complaints.services import people, personnel, signin
from config.wiring import App
from deployments.commands.output import OPERATOR

_LINK = re.compile(r"https?://\S+?/track/([A-Za-z0-9_\-.]+)")
Json = dict[str, Any]

#: (login, name, roles, teams); "*" is every team of the policy.
STAFF = (
    ("li.na", "李娜", (Role.AGENT,), ("orders", "service")),
    ("chen.jie", "陈洁", (Role.AGENT,), ("payments", "credit")),
    ("tom", "Tom Baker", (Role.AGENT,), ("service", "public", "payments")),
    ("zhao.min", "赵敏", (Role.AGENT,), ("compliance", "credit", "orders")),
    ("wang.lei", "王磊", (Role.APPROVER,), ("*",)),
    ("grace", "Grace Okafor", (Role.LEAD, Role.APPROVER), ("*",)),
    ("sun.yu", "孙宇", (Role.MANAGER,), ("*",)),
    ("ruth", "Ruth Adler", (Role.ADMIN, Role.AUDITOR), ()),
)


@dataclass
class Office:
    """The people of the demonstration, each with an API key, and what they do with each case."""

    api_url: str
    outgoing: Path
    people: dict[str, httpx.Client] = field(default_factory=dict)
    passwords: dict[str, str] = field(default_factory=dict)  #: login → password for the console
    ids: dict[str, str] = field(default_factory=dict)
    plays: dict[str, Json] = field(default_factory=dict)  #: reference → sample
    references: dict[str, str] = field(default_factory=dict)  #: sample key → reference
    letters: dict[str, str] = field(default_factory=dict)  #: reference → tracking token
    seen: set[str] = field(default_factory=set)
    problems: list[str] = field(default_factory=list)
    asked: set[str] = field(default_factory=set)

    @classmethod
    def staff(cls, app: App, api_url: str) -> Office:
        """Make the people and their keys (an operator's work), and sign them in."""
        office = cls(api_url, app.settings.home / "outgoing")
        with app.store.work(OPERATOR) as work:
            teams = tuple(t.key for t in work.policy.routing.teams)
            known = {p.login: p for p in people.everybody(work)}
            for login, name, roles, own in STAFF:
                person = known.get(login) or people.add_person(
                    work, login, name, roles=roles, teams=teams if own == ("*",) else own, email=f"{login}@example.com"
                )
                scopes = ["complaints:submit", "complaints:read", "complaints:act", "tasks"]
                _, secret = people.create_key(work, f"demo {login}", scopes, person=person)
                office.people[login] = _client(api_url, secret)
                office.ids[str(person.id)] = login
            _, secret = people.create_key(work, "demo intake", ["complaints:submit", "complaints:read"])
            office.people["intake"] = _client(api_url, secret)
        return office

    def give_passwords(self, app: App) -> None:
        """Let everybody sign in at the console, with a new password each."""
        with app.store.work(OPERATOR) as work:
            for login, *_ in STAFF:
                self.passwords[login] = secrets.token_urlsafe(9)
                signin.set_password(work, personnel.by_login(work, login), self.passwords[login])

    def submit(self, sample: Json) -> str:
        """Send one sample complaint; its reference."""
        fields = (
            "language",
            "channel",
            "subject",
            "product",
            "narrative",
            "desired_remedy",
            "order_ref",
            "jurisdiction",
            "complainant",
        )
        body = {k: sample[k] for k in fields if k in sample}
        answer = self.people["intake"].post(
            "/complaints", json=body, headers={"Idempotency-Key": f"demo-{time.time_ns()}"}
        )
        reference: str = answer.raise_for_status().json()["reference"]
        self.plays[reference], self.references[sample["key"]] = sample, reference
        return reference

    def work(self, until: Callable[[], bool], every: float = 0.25) -> None:
        """Do every task that is open, and answer the letters, until `until` says that it is enough."""
        while not until():
            done = self.do_open_tasks() + self.answer_letters()
            if not done:
                time.sleep(every)

    def do_open_tasks(self) -> int:
        """One round over the open tasks; how many were done."""
        page = self.people["sun.yu"].get("/tasks", params={"limit": 200}).raise_for_status().json()
        return sum(self._do(task) for task in page["items"])

    def _do(self, task: Json) -> bool:
        sample = self.plays.get(task["reference"])
        answer = self._answer(task, sample or {"play": "straight", "language": "en"})
        if answer is None:
            return False
        for login in self._able(task):
            client = self.people[login]
            told = client.post(f"/tasks/{task['id']}/complete", json=answer)
            if told.is_success or told.status_code == 409:
                return told.is_success
            if told.status_code != 403 and told.status_code != 404:
                self.problems.append(
                    f"{task['reference']} {task['gate']} as {login}: {told.status_code} {told.text[:300]}"
                )
                return False
        self.problems.append(f"{task['reference']} {task['gate']}: nobody may do it")
        return False

    def _able(self, task: Json) -> list[str]:
        own = self.ids.get(task.get("assignee_id") or "")
        order = {
            "approver": ["wang.lei", "grace", "sun.yu"],
            "lead": ["grace", "sun.yu"],
            "manager": ["sun.yu"],
        }.get(task["role"], ["li.na", "chen.jie", "tom", "zhao.min", "grace", "sun.yu"])
        return ([own] if own else []) + [login for login in order if login != own]

    def _answer(self, task: Json, sample: Json) -> Json | None:
        zh = sample.get("language") != "en"
        maker = getattr(self, f"_{task['kind']}", None)
        return maker(task, sample, zh) if maker else None

    def _triage(self, task: Json, sample: Json, zh: bool) -> Json | None:
        if sample["play"] == "duplicate":
            original = self.references.get(sample["duplicate_of"])
            if original is None:
                return None
            reason = "同一事项" if zh else "the same matter"
            return {"decision": "merge", "merge_into": original, "reason": reason}
        return {"decision": "investigate"}

    def _investigation(self, task: Json, sample: Json, zh: bool) -> Json | None:
        reference, play = task["reference"], sample["play"]
        if play == "withdraw":
            return None
        if play == "ladder" and not self._breached(reference):
            return None
        if play == "extension" and not self._extended(reference):
            return None
        if play in ("question", "pause") and reference not in self.asked:
            question = (
                "请告诉我们购买日期,最好附上照片。"
                if zh
                else "Please tell us the date, and send a photograph if you can."
            )
            told = self.people["grace"].post(
                f"/complaints/{reference}/actions/ask_customer", json={"question": question}
            )
            if told.is_success:  # else the next round asks
                self.asked.add(reference)
            return None
        if play in ("question", "pause") and self._status(reference) == "awaiting_customer":
            return None
        return {
            "finding": "not_upheld" if play == "appeal" else "upheld",
            "summary": _SUMMARY[zh][play] if play in _SUMMARY[zh] else _SUMMARY[zh]["straight"],
            "root_cause": None,
            "responsible_unit": "客户服务部" if zh else "Customer service",
            "internal_note": "checked the records",
            "remedies": [] if play == "appeal" else self._remedies(play, zh),
        }

    def _breached(self, reference: str) -> bool:
        """Has the demonstration's clock climbed its ladder beyond the due time?"""
        return any(e["kind"] == "rung_fired" and e["data"]["rung"] == "100%" for e in self._events(reference))

    def _events(self, reference: str) -> list[Json]:
        events: list[Json] = self.people["grace"].get(f"/complaints/{reference}/timeline").raise_for_status().json()
        return events

    def _extended(self, reference: str) -> bool:
        """More time was asked for and granted."""
        if reference not in self.asked:
            reason = "需要气象和物业的证明材料" if self.plays[reference]["language"] != "en" else "we wait for papers"
            body = {"clock": "demo_calm.resolve", "days": 60, "reason": reason}
            told = self.people["grace"].post(f"/complaints/{reference}/actions/request_extension", json=body)
            if told.is_success:  # else the next round asks
                self.asked.add(reference)
            return False
        return any(e["kind"] == "extend" for e in self._events(reference))

    def _remedies(self, play: str, zh: bool) -> list[Json]:
        large = play in ("approval", "send_back")
        refund = {
            "kind": "refund",
            "amount": "2680.00" if large else "35.00",
            "description": "退款至原支付账户" if zh else "Refund to the account you paid from",
        }
        apology = {"kind": "apology", "description": "书面致歉" if zh else "A written apology"}
        return [refund, apology] if play != "timeout" else [apology]

    def _approval(self, task: Json, sample: Json, zh: bool) -> Json:
        if sample["play"] == "send_back" and task["gate"] == "approval-1":
            return {
                "decision": "send_back",
                "reason": "请补充通话录音的核查结果" if zh else "Check the call recording, too",
            }
        return {"decision": "approve", "reason": "同意" if zh else "agreed"}

    def _remedy(self, task: Json, sample: Json, zh: bool) -> Json:
        return {"result": "done", "evidence": f"PAY-{task['gate']}"}

    def _response(self, task: Json, sample: Json, zh: bool) -> Json | None:
        detail = self.people["grace"].get("/tasks", params={"reference": task["reference"]}).json()
        draft = next((t.get("draft", {}).get("body") for t in detail["items"] if t["id"] == task["id"]), None)
        if draft is None:
            one = self.people["grace"].get(f"/tasks/{task['id']}")
            draft = one.json().get("draft", {}).get("body") if one.is_success else None
        return {"body": draft} if draft else None

    def _call_back(self, task: Json, sample: Json, zh: bool) -> Json:
        return {
            "reached": True,
            "satisfied": True,
            "words": "电话确认满意" if zh else "satisfied, said on the telephone",
        }

    def _review(self, task: Json, sample: Json, zh: bool) -> Json:
        return {
            "decision": "change",
            "finding": "partly_upheld",
            "summary": "复核后认为您的说法部分成立,原答复不够全面。"
            if zh
            else "On review part of what you say is right; our first answer fell short.",
            "remedies": [{"kind": "coupon", "amount": "20.00", "description": "赠送代金券" if zh else "A voucher"}],
        }

    def _external(self, task: Json, sample: Json, zh: bool) -> Json:
        return {"decision": "closes", "summary": "the body closed its case"}

    def _extension(self, task: Json, sample: Json, zh: bool) -> Json:
        return {"approve": True, "reason": "同意延期" if zh else "granted"}

    def _inform(self, task: Json, sample: Json, zh: bool) -> Json:
        return {"told": True, "words": "已电话告知" if zh else "told by telephone"}

    def _management_review(self, task: Json, sample: Json, zh: bool) -> Json:
        return {"measures": "增派人手,今天内处理完" if zh else "A second agent helps; to be finished today"}

    def _status(self, reference: str) -> str:
        status: str = self.people["grace"].get(f"/complaints/{reference}").raise_for_status().json()["status"]
        return status

    # -- customers

    def answer_letters(self) -> int:
        """Customers read what came and answer through the link in it; how many answers were given."""
        answered = 0
        for path in sorted(self.outgoing.glob("*.eml")):
            if path.name in self.seen:
                continue
            letter = message_from_bytes(path.read_bytes(), policy=policy.default)
            body = letter.get_body(("plain",))
            text = body.get_content() if body is not None else ""
            found = _LINK.search(text)
            reference = str(letter.get("X-Complaint-Reference", ""))
            self.seen.add(path.name)
            if found and reference in self.plays:
                answered += self._react(reference, path.name, found.group(1).rstrip("."))
        return answered

    def _react(self, reference: str, letter: str, token: str) -> bool:
        sample = self.plays[reference]
        play, zh = sample["play"], sample.get("language") != "en"
        kind = letter.split("-", 1)[0].split(":", 1)[0]
        if kind == "survey":
            if play == "timeout":
                return False
            return self._confirm(reference, token, play, zh)
        if kind == "question":
            if play == "pause":
                time.sleep(4)  # the complainant takes a while; the clock stands still meanwhile
            answer = "11月2日买的,照片已附上。" if zh else "On 2 November. I have attached a photograph."
            return self._post(token, "actions/customer_replied", {"answer": answer})
        if kind == "acknowledgment" and play == "withdraw":
            return self._post(token, "actions/withdraw", {"reason": "已自行解决" if zh else "It solved itself"})
        return False

    def _confirm(self, reference: str, token: str, play: str, zh: bool) -> bool:
        if play == "appeal" and f"appeal {reference}" not in self.asked:
            self.asked.add(f"appeal {reference}")
            words = "我不同意,请换一位同事再看一次。" if zh else "I do not agree; please have somebody else look at it."
            return self._post(token, "confirmation", {"accepted": False, "rating": 2, "words": words})
        return self._post(
            token,
            "confirmation",
            {"accepted": True, "rating": 4, "resolved": True, "effort": 2, "words": "谢谢" if zh else "Thank you"},
        )

    def _post(self, token: str, what: str, body: Mapping[str, Any]) -> bool:
        answer = httpx.post(f"{self.api_url}/track/{token}/{what}", json=dict(body), timeout=20)
        if not answer.is_success and answer.status_code != 409:
            self.problems.append(f"customer, {what}: {answer.status_code} {answer.text[:300]}")
        return answer.is_success


def _client(api_url: str, secret: str) -> httpx.Client:
    return httpx.Client(base_url=api_url, headers={"Authorization": f"Bearer {secret}"}, timeout=30)


def in_background(office: Office, until: threading.Event) -> threading.Thread:
    """Let the office work in a thread of its own until the event is set."""
    thread = threading.Thread(target=office.work, args=(until.is_set,), name="office", daemon=True)
    thread.start()
    return thread


_SUMMARY: dict[bool, dict[str, str]] = {
    True: {
        "straight": "我们核对了订单、配送和通话记录,确认三次改约均未按约定执行,责任在我方。已安排专人跟进。",
        "appeal": "我们核对了账户记录和活动规则,按规则该次交易不参加活动,因此原处理结果符合规定。",
        "approval": "经现场勘查和记录核对,确认问题由我方造成,我们承担由此产生的费用。",
        "question": "根据您补充的日期和照片,我们确认问题属实,责任在我方。",
    },
    False: {
        "straight": "We checked the order, the deliveries and the calls. You are right: we did not keep our word.",
        "appeal": "We checked your account and the terms of the offer. Under the terms this purchase did not qualify.",
        "approval": "We inspected the records and the site. The fault is ours and we bear the cost that it caused.",
        "question": "With the date and the photograph you sent we could confirm what happened. The fault is ours.",
    },
}
