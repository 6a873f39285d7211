"""Examples that each command's `--help` ends with. A test reads every one of them with the command's own parser."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

#: Command → lines to type.
EXAMPLES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "up": ("complaints up", "COMPLAINTS_WEB_PORT=8090 complaints up"),
        "demo": ("complaints demo", "complaints demo --no-stay"),
        "submit": (
            "complaints submit 'The kettle leaks.' --name 'Wang Fang' --email wang.fang@example.com",
            "complaints submit - --channel letter --received '2026-11-20 09:00:00' --language zh-CN < letter.txt",
        ),
        "import": (
            "complaints import complaints.csv --map cfpb --dry-run",
            "complaints import complaints.csv --errors",
        ),
        "show": ("complaints show C26-000042-7", "complaints show C26-000042-7 --json"),
        "list": (
            "complaints list --status investigating --severity critical",
            "complaints list --words 'kettle leaks' --limit 20",
        ),
        "act": (
            "complaints act C26-000042-7",
            "complaints act C26-000042-7 ask_customer",
            """complaints act C26-000042-7 add_note '{"text": "called back"}' --as li.na""",
        ),
        "withdraw": ("complaints withdraw C26-000042-7 --reason 'It solved itself'",),
        "attach": ("complaints attach C26-000042-7 invoice.pdf photo.jpg --for complainant",),
        "tasks": ("complaints tasks --kind investigation", "complaints tasks --as li.na --mine"),
        "claim": (
            "complaints claim 8a9742c5 --as li.na",
            "complaints claim C26-000042-7 investigation-1 --as li.na",
        ),
        "release": ("complaints release 8a9742c5 --as li.na",),
        "complete": (
            "complaints complete 8a9742c5",
            """complaints complete C26-000042-7 '{"finding": "upheld", "summary": "You are right."}' --as li.na""",
            "complaints complete C26-000042-7 remedy-2 @remedy.json --as li.na",
        ),
        "doctor": ("complaints doctor", "complaints doctor --repair"),
        "disposals": ("complaints disposals", "complaints disposals --limit 500 --json"),
        "audit verify": ("complaints audit verify", "complaints audit verify C26-000042-7"),
        "archive verify": ("complaints archive verify",),
        "outbox list": ("complaints outbox list --state dead",),
        "outbox replay": ("complaints outbox replay 8a9742c5", "complaints outbox replay"),
        "people list": ("complaints people list",),
        "people add": ("complaints people add li.na 李娜 --role agent --team orders --team service --password",),
        "people password": ("complaints people password li.na",),
        "keys create": (
            "complaints keys create shop --scope complaints:submit --scope complaints:read",
            "complaints keys create 'li.na at work' --scope tasks --for li.na",
        ),
        "keys list": ("complaints keys list",),
        "keys revoke": ("complaints keys revoke 01a21c14-2585-78cb-be31-68a930c50489",),
        "policy check": ("complaints policy check config/policies/default",),
        "policy diff": ("complaints policy diff active config/policies/default",),
        "policy activate": (
            "complaints policy activate config/policies/default",
            "complaints policy activate config/policies/default --effective 2026-12-01",
        ),
        "policy list": ("complaints policy list",),
        "policy show": ("complaints policy show C26-000042-7",),
        "policy backtest": ("complaints policy backtest config/policies/default --from 2026-01-01 --to 2026-07-01",),
        "sla explain": ("complaints sla explain C26-000042-7 --clock default.resolve",),
    }
)


def epilog(command: str) -> str:
    """What the help of this command ends with: each example on a line of its own."""
    lines = EXAMPLES[command]
    return "\n\n".join(("For example:" if len(lines) == 1 else "Examples:", *(f"$ {line}" for line in lines)))
