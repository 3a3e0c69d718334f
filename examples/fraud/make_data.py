"""Writes the demo's charges as Parquet: made up, the same ones for the same seed.

    python make_data.py [FILE] [--rows 80000] [--seed 7]

Needs numpy and pyarrow. FILE is by default what `s3://path/to/parquet/fraud_data.parq` stands for in railyard.toml.
"""

import argparse
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

FILE = Path(__file__).resolve().parent / "data" / "to" / "parquet" / "fraud_data.parq"
FIRST, LAST = np.datetime64("2017-06-01", "us"), np.datetime64("2019-06-30", "us")

TYPES = ("card_present", "card_not_present", "wallet", "bank_debit", "keyed_in")
TYPE_SHARE = (0.34, 0.38, 0.14, 0.08, 0.06)
TYPE_RISK = (-1.6, 0.9, -0.5, -1.0, 2.0)
COUNTRIES = ("US", "CA", "GB", "DE", "FR", "AU", "JP", "BR")
COUNTRY_SHARE = (0.56, 0.14, 0.09, 0.06, 0.05, 0.04, 0.03, 0.03)
COUNTRY_RISK = (0.0, 0.8, 0.2, -0.4, 0.1, 0.2, -0.8, 1.3)

# Charges on the edges of the request's ranges: the first and last instants inside, and their neighbours outside.
EDGES = (
    "2017-12-31T23:59:59.999999",
    "2018-01-01T00:00:00.000000",
    "2018-09-30T23:59:59.999999",
    "2018-10-01T00:00:00.000000",
    "2019-01-01T00:00:00.000000",
    "2019-01-01T00:00:00.000001",
)


def make_data(target=FILE, rows=80_000, seed=7):
    """Writes `rows` charges from June 2017 to June 2019, ordered by time, and returns the path.

    `is_fraudulent` (0 or 1, about 6 %) can be learned from type, amount and country to an AUC of about 0.85.
    `has_fraud_dispute` is known only weeks later, so it must not be a feature. A few cells are null.
    """
    random = np.random.default_rng(seed)
    edges = np.array(EDGES, "datetime64[us]")
    drawn = FIRST + random.integers(0, int((LAST - FIRST).astype(int)), rows - len(edges)).astype("timedelta64[us]")
    created = np.concatenate((edges, drawn))
    kind = random.choice(len(TYPES), rows, p=TYPE_SHARE)
    country = random.choice(len(COUNTRIES), rows, p=COUNTRY_SHARE)
    amount = np.round(np.exp(random.normal(3.7, 1.2, rows)), 2)
    country[: len(edges)], amount[: len(edges)] = COUNTRIES.index("US"), 25.0  # they pass the request's other filters

    order = np.argsort(created, kind="stable")
    created, kind, country, amount = created[order], kind[order], country[order], amount[order]
    fixed = order < len(edges)

    logit = -4.4 + np.take(TYPE_RISK, kind) + np.take(COUNTRY_RISK, country) + 0.9 * (np.log(amount + 1) - 3.7)
    logit += 1.2 * ((kind == 1) & (amount > 150))
    fraud = random.random(rows) < 1 / (1 + np.exp(-logit))
    dispute = np.where(fraud, random.random(rows) < 0.8, random.random(rows) < 0.004)

    def missing(share):
        return (random.random(rows) < share) & ~fixed

    table = pa.table(
        {
            "charge_id": pa.array([f"ch_{number:07d}" for number in range(rows)]),
            "created_at": pa.array(created, pa.timestamp("us")),
            "merchant_id": pa.array(random.integers(1, 2_000, rows), pa.int32()),
            "charge_type": pa.array(np.take(TYPES, kind), pa.string(), mask=missing(0.004)),
            "charge_amount": pa.array(amount, pa.float64(), mask=missing(0.002)),
            "charge_country": pa.array(np.take(COUNTRIES, country), pa.string(), mask=missing(0.003)),
            "has_fraud_dispute": pa.array(dispute, pa.bool_()),
            "is_fraudulent": pa.array(fraud.astype(np.int8), pa.int8()),
        }
    )
    target = Path(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, target, row_group_size=8_192, compression="zstd")
    return target


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Writes the demo's charges as Parquet.")
    parser.add_argument("file", nargs="?", type=Path, default=FILE)
    parser.add_argument("--rows", type=int, default=80_000)
    parser.add_argument("--seed", type=int, default=7)
    given = parser.parse_args()
    print(make_data(given.file, given.rows, given.seed))
