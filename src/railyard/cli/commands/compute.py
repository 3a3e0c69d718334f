"""railyard compute"""

from __future__ import annotations

from typing import TYPE_CHECKING

from railyard.cli import lazy
from railyard.cli.app import App, pass_app
from railyard.cli.groups import command, group
from railyard.cli.output import Column
from railyard.cli.tree import COMPUTE

if TYPE_CHECKING:
    from railyard.spec.records import Price

compute = group("compute", COMPUTE, "Compute classes: the sizes that compute_resource names.")


@command("list", examples=["railyard compute list"], short_help="Compute classes: size, price, how full.")
@pass_app
def list_(app: App) -> None:
    """Compute classes: what an attempt gets, the most it may ask for, price, and how full each is."""
    found = app.client.compute.list()
    if app.out.json:
        app.out.resource([lazy.spec.dump(one) for one in found])
        return
    columns = (Column("CLASS"), Column("CPU", right=True), Column("MEMORY", right=True), Column("GPU", right=True),
               Column("MOST"), Column("PRICE"), Column("RUNNING", right=True), Column("QUEUED", right=True),
               Column("FREE", right=True))  # fmt: skip
    rows = []
    for one in found:
        kind = one.compute_class
        most = " ".join(
            part for part in (f"{kind.max_cpu:g} cpu" if kind.max_cpu else "", kind.max_memory or "") if part
        )
        free = "–" if one.free is None else str(one.free)
        rows.append(
            [
                kind.name,
                f"{kind.cpu:g}",
                kind.memory,
                str(kind.gpu),
                most,
                _price(kind.price),
                str(one.running),
                str(one.queued),
                free,
            ]
        )
    app.out.table(columns, rows)


def _price(price: Price | None) -> str:
    if price is None:
        return "unpriced"
    parts = [(price.cpu_hour, "cpu"), (price.gb_hour, "GB"), (price.gpu_hour, "gpu")]
    return " + ".join(f"{amount:g}/{unit}·h" for amount, unit in parts if amount) + f" {price.currency}"
