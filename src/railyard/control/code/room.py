"""The code room: registers code bundles, makes them ready to run, deploys them, and says where a job's code lies."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from railyard.artifacts.store import ArtifactStore
from railyard.control.code import choose, store
from railyard.control.code.bundle import Bundle, read_bundle, unpack
from railyard.control.code.lock import read_lock
from railyard.control.code.runtimes import SERVER, RuntimeBroken, Runtimes, Wanted, asks_for_server, wanted
from railyard.control.code.workflow_classes import read_classes
from railyard.control.db.engine import Database
from railyard.control.executors.base import Executor, Runtime
from railyard.control.executors.places import Broken, Place, Waiting
from railyard.errors import Ambiguous, Invalid, NotFound, RailyardError, Unavailable
from railyard.spec.records import BundleManifest, CodeVersion, Page, Workflow, WorkflowInfo

logger = logging.getLogger(__name__)

DISCOVER_SECONDS = 60.0
RETRY_SECONDS = 60.0
"""A runtime that could not be built is tried again when its code is sent again after this long."""
_MANIFEST = "bundle.json"


class CodeRoom:
    """Code versions, from their bytes to a place to run. Preparing one (runtime, discovery) is a background task."""

    def __init__(
        self,
        database: Database,
        artifacts: ArtifactStore,
        home: Path,
        executor: Executor,
        *,
        pythons: Sequence[str] = (),
        runtimes: Runtimes | None = None,
    ) -> None:
        self._database = database
        self._artifacts = artifacts
        self._folder = home / "code"
        self._executor = executor
        self._pythons = tuple(pythons)
        self._runtimes = runtimes or Runtimes(home / "runtimes")
        self._preparing: dict[str, asyncio.Task[None]] = {}
        self._places: dict[str, Place] = {}

    async def open(self) -> None:
        """Goes on with what an earlier server left unprepared."""
        async with self._database.transaction() as connection:
            unfinished = await store.building(connection)
        for code_id in unfinished:
            self._prepare(code_id)

    async def close(self) -> None:
        """Stops preparing; the next `open` begins again."""
        tasks = list(self._preparing.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def register(self, zip_bytes: bytes, by: str) -> CodeVersion:
        """Stores a bundle and begins to prepare it; its workflows are known at once, by their names.

        The same bytes are the same version, whoever sends them; one that is broken is prepared anew. Raises Invalid or
        TooLarge for bytes that are no code bundle or a lock that does not hold.
        """
        bundle = await asyncio.to_thread(read_bundle, zip_bytes)
        if bundle.lock is not None and bundle.manifest.lock is not None:
            read_lock(bundle.lock, bundle.manifest.lock)
        async with self._database.transaction() as connection:
            known = await store.find(connection, bundle.code_id)
        if known is None:
            await self._store(bundle, zip_bytes, by)
            self._prepare(bundle.code_id)
        elif known.state == "broken":
            await self._again(known)
        elif known.state == "building":
            self._prepare(bundle.code_id)
        return await self.get(bundle.code_id)

    async def deploy(self, code_id: str, version: str | None, by: str) -> CodeVersion:
        """Makes a version the one that plain requests run, named `project@version` (default: clean git SHA, else id).

        Deploying an older one again rolls back to it. Raises Conflict while it is building, for a version that other
        code has, and for a workflow name that belongs to another project; Invalid when it is broken.
        """
        if version is not None:
            choose.check_version(version)
        found = await self.get(code_id)
        async with self._database.transaction() as connection:
            locked = await store.find(connection, found.code_id, lock=True)
            assert locked is not None  # versions are never removed
            choose.check_deployable(locked)
            if version is not None and locked.version not in (None, version):
                raise choose.already_named(locked)
            name = version or locked.version or choose.default_version(locked)
            holder = await store.by_version(connection, locked.project, name)
            if holder is not None and holder.code_id != locked.code_id:
                if version is not None:
                    raise choose.version_taken(locked.project, name, holder.code_id)
                name = locked.code_id
            names = [info.name for info in locked.workflows if not info.broken]
            others = await store.claim(connection, locked.project, names)
            if others:
                raise choose.claimed(locked.project, others)
            await store.mark_deployed(connection, locked.code_id, name)
        logger.info("%s deployed %s as %s@%s", by, locked.code_id, locked.project, name)
        return await self.get(locked.code_id)

    async def resolve(self, code: str | None, workflow_name: str) -> CodeVersion:
        """The code version that a request means: the one it names, else the newest deployed one with the workflow.

        One that is still building is fine. Raises Invalid with near names where there is none, or where it is broken.
        """
        if code is not None:
            try:
                return choose.check_holds(await self.get(code), workflow_name)
            except (NotFound, Ambiguous) as error:
                raise choose.as_field(code, error) from None
        async with self._database.transaction() as connection:
            found = await store.newest_deployed(connection, workflow_name)
            if found is not None:
                return choose.check_holds(found, workflow_name)
            known = await store.deployed_names(connection)
            undeployed = await store.newest_holding(connection, workflow_name)
        raise choose.unknown_workflow(workflow_name, known, "the deployed code", undeployed)

    async def get(self, code: str) -> CodeVersion:
        """A code version by its id, a unique beginning of it, or `project@version`. Raises NotFound or Ambiguous."""
        reference = choose.parse_reference(code)
        async with self._database.transaction() as connection:
            if reference.kind == "version":
                found = await store.by_version(connection, reference.project, reference.rest)
                candidates = [found] if found else []
            else:
                candidates = await store.by_prefix(connection, reference.rest)
            known = [] if candidates else await store.versions_of(connection, None)
        if not candidates:
            raise choose.unknown_code(code, known)
        if len(candidates) > 1:
            raise choose.ambiguous_code(code, candidates)
        return candidates[0]

    async def list(
        self, *, project: str | None = None, deployed: bool = False, after: str | None = None, limit: int = 50
    ) -> Page[CodeVersion]:
        """Code versions, newest first; `after` is the `next` of the page before. Raises Invalid for another cursor."""
        if after is not None and not (after.isascii() and after.isdecimal() and len(after) < 19):
            raise Invalid(f"{after[:50]!r} is no cursor", code="bad_cursor", mend="use the next of the page before")
        place = int(after) if after is not None else None
        async with self._database.transaction() as connection:
            found = await store.page(connection, project=project, deployed=deployed, after=place, limit=limit + 1)
        following = str(found[limit - 1][0]) if len(found) > limit else None
        return Page[CodeVersion](items=tuple(version for _, version in found[:limit]), next=following)

    async def workflows(self) -> Sequence[Workflow]:
        """Every workflow there is, by name, with its last job."""
        async with self._database.transaction() as connection:
            return await store.list_workflows(connection)

    async def workflow(self, name: str) -> Workflow:
        """One workflow. Raises NotFound with the nearest name."""
        async with self._database.transaction() as connection:
            found = await store.list_workflows(connection, name)
            known = [] if found else [each.name for each in await store.list_workflows(connection)]
        if found:
            return found[0]
        refused = choose.unknown_workflow(name, known, "the code here")
        raise NotFound(
            refused.message, code="unknown_workflow", why=refused.why, mend=refused.mend, detail=refused.detail
        )

    async def place(self, code_id: str | None) -> Place | Waiting | Broken:
        """Where a job's code lies and in which runtime it runs; what is missing on this machine is made meanwhile."""
        if code_id is None:
            empty = self._folder / "none"
            empty.mkdir(parents=True, exist_ok=True)
            return Place(folder=str(empty), runtime=SERVER)
        placed = self._places.get(code_id)
        if placed is not None and self._stands(placed):
            return placed
        async with self._database.transaction() as connection:
            version = await store.find(connection, code_id)
        if version is None:
            return Broken(
                message=f"the code {code_id} is not on this server", mend="send the code again, then rerun the job"
            )
        if version.state == "broken":
            return Broken(
                message=version.message or "the runtime cannot be built", mend="correct the code and send it again"
            )
        if version.state == "ready":
            # What goes wrong here shows in preparing it again.
            with suppress(RailyardError):
                found = await self._placed(version)
                if found is not None:
                    self._places[code_id] = found
                    return found
        self._prepare(code_id)
        return Waiting(message=f"the runtime of {version.project} ({code_id}) is being built")

    async def settled(self, code_id: str) -> CodeVersion:
        """The version once its preparation has ended."""
        task = self._preparing.get(code_id)
        if task is not None:
            await asyncio.wait([task])
        return await self.get(code_id)

    async def _store(self, bundle: Bundle, zip_bytes: bytes, by: str) -> None:
        stored = await asyncio.to_thread(self._artifacts.put, _key(bundle.code_id), zip_bytes)
        found = await asyncio.to_thread(read_classes, bundle.files, bundle.manifest.workflows)
        manifest = bundle.manifest
        values = {
            "code_id": bundle.code_id,
            "project": manifest.project,
            "sha256": bundle.sha256,
            "bytes": len(zip_bytes),
            "uri": stored.uri,
            "git_sha": manifest.git_sha,
            "dirty": manifest.dirty,
            "python": manifest.python,
            "lock_sha256": hashlib.sha256(bundle.lock.encode()).hexdigest() if bundle.lock is not None else None,
            "created_by": by,
        }
        async with self._database.transaction() as connection:
            if await store.add(connection, values):
                await store.put_workflows(connection, bundle.code_id, found)

    async def _again(self, version: CodeVersion) -> None:
        """Prepares a broken version once more, unless its runtime failed just now."""
        async with self._database.transaction() as connection:
            if await store.lately_broken(connection, version.runtime, RETRY_SECONDS) is None:
                await store.begin(connection, version.code_id)
                self._prepare(version.code_id)

    def _prepare(self, code_id: str) -> None:
        if code_id not in self._preparing:
            task = asyncio.create_task(self._settle(code_id), name=f"prepare {code_id}")
            self._preparing[code_id] = task
            task.add_done_callback(lambda _: self._preparing.pop(code_id, None))

    async def _settle(self, code_id: str) -> None:
        """Prepares a version and writes down how that ended; while a part of the server is away, it stays as it is."""
        try:
            await self._settle_now(code_id)
        except Unavailable as error:
            logger.warning("preparing the code %s has to wait: %s", code_id, error.message)
        except Exception:
            logger.exception("preparing the code %s could not be written down", code_id)

    async def _settle_now(self, code_id: str) -> None:
        runtime: str | None = None
        try:
            folder, manifest = await self._unpacked(code_id)
            want = await self._wanted(folder, manifest)
            runtime = want.key if want else SERVER.key
            built = await self._built(code_id, want) if want else SERVER
            infos = await self._discovered(code_id, folder, manifest, built)
        except Unavailable:
            raise
        except RailyardError as error:
            logger.warning("the code %s cannot run: %s", code_id, error.message)
            message = f"{error.message}\n{error.why}".strip()
            await self._end(code_id, state="broken", runtime=runtime, message=message)
        except Exception as error:
            logger.exception("preparing the code %s failed", code_id)
            await self._end(code_id, state="broken", runtime=runtime, message=f"{type(error).__name__}: {error}")
        else:
            await self._end(code_id, state="ready", runtime=runtime, workflows=infos)

    async def _end(
        self,
        code_id: str,
        *,
        state: str,
        runtime: str | None,
        message: str | None = None,
        workflows: Sequence[WorkflowInfo] | None = None,
    ) -> None:
        async with self._database.transaction() as connection:
            await store.settle(connection, code_id, state=state, runtime=runtime, message=message, workflows=workflows)

    async def _unpacked(self, code_id: str) -> tuple[Path, BundleManifest]:
        """The bundle's folder, laid out from the artifact store where it is not there."""
        folder = self._folder / code_id

        def lay_out() -> BundleManifest:
            if not (folder / _MANIFEST).is_file():
                unpack(self._artifacts.read(_key(code_id)), folder)
            return BundleManifest.model_validate_json((folder / _MANIFEST).read_bytes())

        return folder, await asyncio.to_thread(lay_out)

    async def _wanted(self, folder: Path, manifest: BundleManifest) -> Wanted | None:
        """The runtime that the code asks for; None for the server's own interpreter."""

        def look() -> Wanted | None:
            lock = (folder / manifest.lock).read_text(encoding="utf-8") if manifest.lock else None
            if asks_for_server(lock, manifest.python):
                return None
            return wanted(lock or "", manifest.lock or "requirements.lock", manifest.python, self._pythons)

        return await asyncio.to_thread(look)

    async def _built(self, code_id: str, want: Wanted) -> Runtime:
        found = self._runtimes.find(want.key)
        if found:
            return found
        packages = f"{len(want.lock.lines)} pinned packages and the runner's"
        message = f"building the runtime: Python {want.interpreter.minor}, {packages}"
        async with self._database.transaction() as connection:
            failed = await store.lately_broken(connection, want.key, RETRY_SECONDS)
            if failed is not None:
                raise RuntimeBroken(failed)
            await store.runtime_began(connection, want.key, want.interpreter.minor)
            await store.note(connection, code_id, runtime=want.key, message=message)
        try:
            built = await self._runtimes.build(want)
        except RuntimeBroken as error:
            async with self._database.transaction() as connection:
                await store.runtime_ended(connection, want.key, state="broken", message=error.message)
            raise
        async with self._database.transaction() as connection:
            await store.runtime_ended(connection, want.key, state="ready")
        return built

    async def _discovered(
        self, code_id: str, folder: Path, manifest: BundleManifest, runtime: Runtime
    ) -> Sequence[WorkflowInfo]:
        body = {"folder": str(folder), "workflows": manifest.workflows}
        answer = await self._executor.ask(runtime, "discover", body, timeout_seconds=DISCOVER_SECONDS)
        loaded = [WorkflowInfo.model_validate(info) for info in answer["workflows"]]
        async with self._database.transaction() as connection:
            known = await store.find(connection, code_id)
        return choose.merged(known.workflows if known else (), loaded)

    async def _placed(self, version: CodeVersion) -> Place | None:
        """The place of a ready version; None where its runtime is not on this machine, or is of an older runner."""
        folder, manifest = await self._unpacked(version.code_id)
        want = await self._wanted(folder, manifest)
        runtime = self._runtimes.find(want.key) if want else SERVER
        if runtime is None:
            return None
        return Place(
            folder=str(folder),
            runtime=runtime,
            project=version.project,
            git_sha=version.git_sha,
            dirty=version.dirty,
        )

    def _stands(self, place: Place) -> bool:
        built = place.runtime == SERVER or self._runtimes.find(place.runtime.key) is not None
        return built and (Path(place.folder) / _MANIFEST).is_file()


def _key(code_id: str) -> str:
    return f"code/{code_id}.zip"
