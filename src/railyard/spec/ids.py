"""Ids: a letter and nine characters of lower-case base32 without i, l, o and u; legal in Kubernetes names."""

from __future__ import annotations

import secrets

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"


def new_id(letter: str) -> str:
    """A random id such as `j81f3k2abq` (45 bits)."""
    return letter + "".join(secrets.choice(ALPHABET) for _ in range(9))


def attempt_name(job_id: str, number: int) -> str:
    """The name of an attempt everywhere: in paths, in processes, in Kubernetes."""
    return f"{job_id}-{number}"


def split_attempt_name(name: str) -> tuple[str, int]:
    """The job id and the number of an attempt's name."""
    job_id, _, number = name.rpartition("-")
    return job_id, int(number)
