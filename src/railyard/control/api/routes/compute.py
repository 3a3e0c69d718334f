"""Compute classes, and how full they are."""

from __future__ import annotations

from fastapi import APIRouter

from railyard.control.api import answers
from railyard.control.api.auth import Reader
from railyard.control.api.rooms import TheRooms
from railyard.control.intake import compute
from railyard.spec.records import ComputeState, Page

router = APIRouter(prefix="/v1", tags=["compute"])

_EXAMPLE = {
    "compute_class": {"name": "CPU", "cpu": 1.0, "memory": "4096Mi", "gpu": 0, "max_cpu": 2.0, "max_memory": "12Gi",
                      "slots": None, "next_class": "HIGH_MEMORY", "price": None},
    "running": 1, "queued": 0, "free": 1,
}  # fmt: skip


@router.get(
    "/compute",
    operation_id="list_compute",
    summary="Compute classes with size, price, attempts that run, jobs that wait, and how many more would fit now",
    responses=answers.ok({"items": [_EXAMPLE], "next": None}) | answers.errors(401, 403),
)
async def list_compute(_caller: Reader, rooms: TheRooms) -> Page[ComputeState]:
    return Page(items=await compute.states(rooms.known))
