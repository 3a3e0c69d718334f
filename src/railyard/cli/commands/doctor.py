"""railyard doctor"""

from __future__ import annotations

from railyard.cli import checks
from railyard.cli.app import App, pass_app
from railyard.cli.groups import command

_SIGNS = {"ok": ("✓", "ok"), "warning": ("!", "busy"), "bad": ("✕", "bad")}


@command(
    "doctor",
    examples=["railyard doctor", "railyard doctor --json"],
    short_help="Check server, token, disk, extras; each problem with its mend.",
)
@pass_app
def doctor(app: App) -> int:
    """Check Python, extras, home folder, disk, server, token, clocks, database and store.

    Each ✕ comes with its mend. Exit code 1 when there is any.
    """
    found: list[checks.Check] = []
    for check in checks.run(app):
        found.append(check)
        if not app.out.json:
            sign, tone = _SIGNS[check.verdict]
            app.out.line(f"{app.out.ink(sign, tone)} {check.name:<12} {check.text}")
            if check.mend:
                app.out.line(f"  {'':<12} {app.out.ink('mend:', 'ok')} {check.mend}")
    if app.out.json:
        app.out.resource([check._asdict() for check in found])
    return 1 if any(check.verdict == "bad" for check in found) else 0
