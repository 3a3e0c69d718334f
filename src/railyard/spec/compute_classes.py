"""The compute classes that every installation has; an operator changes them and adds others in the settings."""

from __future__ import annotations

from typing import Any


def built_in_classes(cpu: float, memory: int, gpu: int) -> dict[str, dict[str, Any]]:
    """Fields of each ComputeClass by name, on a place with this much cpu, memory in bytes and gpu."""
    share, large = min(4 * 2**30, int(memory * 0.8)), int(memory * 0.8)
    most = {"cpu": 1.0, "max_cpu": cpu, "max_memory": f"{large // 2**20}Mi"}
    return {
        "CPU": {**most, "memory": f"{share // 2**20}Mi", "next_class": "HIGH_MEMORY"},
        "HIGH_MEMORY": {**most, "memory": f"{large // 2**20}Mi"},
        "GPU": {**most, "memory": f"{share // 2**20}Mi", "gpu": 1, "slots": gpu},
    }
