"""The page behind every error code and every reason: what it means, what to do. Served at /help/<code>, offline too."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class HelpPage:
    title: str
    means: str
    do: str

    @property
    def text(self) -> str:
        """The page as Markdown."""
        return f"**{self.title}**\n\n{self.means}\n\n*What to do:* {self.do}"


_ANSWERS = {
    "invalid": HelpPage(
        "Something sent does not hold",
        "A request, a parameter or a file does not hold what it should. `fields` names each place with what was "
        "expected and what came.",
        "Correct the places named and send it again; nothing was started.",
    ),
    "invalid_json": HelpPage(
        "The request is not JSON",
        "The server takes strict JSON: no comments, no NaN, no repeated keys. Line and column stand in the answer.",
        "Send strict JSON. The CLI and the SDK strip `//` comments; with curl, strip them first.",
    ),
    "invalid_request": HelpPage(
        "The training request does not hold",
        "At least one field is missing, unknown, of another type or outside its range. Unknown keys are refused "
        "everywhere but in "
        "`train.custom_params`, so that a typo is never silently ignored.",
        "Correct the fields named; where a near name exists, it is offered. The reference of the request lists "
        "every field.",
    ),
    "invalid_call": HelpPage(
        "A parameter of the call does not hold",
        "The path, the query or the body of an API call is not what this operation takes.",
        "`/openapi.json` describes every operation.",
    ),
    "bad_request": HelpPage(
        "The call is malformed",
        "The body could not be read: broken encoding, or not the JSON that its Content-Type says.",
        "Send UTF-8 JSON with `Content-Type: application/json`.",
    ),
    "unauthorized": HelpPage(
        "No token",
        "Everything but `/healthz` and `/readyz` needs a token, or a browser's session.",
        "Send `Authorization: Bearer <token>`. `railyard up` writes one into the CLI's context; `railyard login` "
        "takes one over.",
    ),
    "bad_token": HelpPage(
        "The token is not valid",
        "It is unknown to this server, expired or revoked.",
        "Ask an admin for a new one: `railyard token create --user NAME --team TEAM`.",
    ),
    "forbidden": HelpPage(
        "Not allowed", "The token is valid but may not do this.", "Ask an admin, or use another token."
    ),
    "scope_missing": HelpPage(
        "The token's scope is too narrow",
        "Scopes are `read`, `submit`, `deploy` and `admin`; each includes those before it.",
        "Ask an admin for a token with the scope named.",
    ),
    "not_your_team": HelpPage(
        "Another team's owner",
        "A job is sent for an `owner`, and a token may act only for the teams it was made for. An admin's token "
        "acts for any.",
        "Set `owner` to a team of yours, or ask for a token of that team. `railyard whoami` shows your teams.",
    ),
    "not_your_name": HelpPage(
        "Another person as trainer",
        "`trainer` is the person who trains, and a token belongs to one. An admin's token may name anybody; who sent "
        "the request is kept as `submitted_by`.",
        "Set `trainer` to the user that `railyard whoami` shows. A rerun does so by itself.",
    ),
    "attempt_token": HelpPage(
        "An attempt's token used elsewhere",
        "A token that starts with `ra_` belongs to one attempt and opens only `/v1/attempts/…`.",
        "Use a user's token.",
    ),
    "cross_site": HelpPage(
        "A change from another site",
        "A browser's session may change things only from this server's own pages; another site's page sent this "
        "request.",
        "Use a bearer token in programs; in the browser, open the server's own page.",
    ),
    "not_found": HelpPage(
        "No such object",
        "No job, model, workflow, code version or token has this id, name or unique prefix.",
        "List what there is: `railyard job list`, `railyard model list`, `railyard workflow list`.",
    ),
    "unknown_path": HelpPage(
        "No such path",
        "The server has nothing at this address.",
        "`/openapi.json` lists every path; the server may be older than the client.",
    ),
    "method_not_allowed": HelpPage(
        "Another method",
        "The path exists but does not take this method.",
        "The answer's `Allow` header names those it takes.",
    ),
    "ambiguous": HelpPage(
        "Several objects fit", "A prefix fits more than one object; they are listed.", "Give more characters."
    ),
    "conflict": HelpPage(
        "In another state",
        "Somebody was first, or the object's state does not allow this.",
        "Look at the object, then decide again.",
    ),
    "idempotency_key_reused": HelpPage(
        "The idempotency key was used for another request",
        "A key makes repeating one request harmless. This key came before with another body.",
        "Use a new key for a new request.",
    ),
    "refused": HelpPage(
        "Refused by a rule",
        "A quota, a budget or a policy forbids it, or the object is in use.",
        "The answer names the rule and who can change it.",
    ),
    "too_large": HelpPage(
        "The body is too large",
        "Request bodies are limited by `max_body_bytes`, artifacts by `max_artifact_bytes`.",
        "Send less, or raise the limit in `railyard.toml` and start the server again.",
    ),
    "rate_limited": HelpPage("Too many calls", "The server asks for a pause.", "Wait as long as `Retry-After` says."),
    "internal": HelpPage(
        "A fault of Railyard's own",
        "The server or the runner met an error that is not yours. A job that ends so is tried again within its "
        "`infrastructure` budget.",
        "Look up the request id, or the job's log, in `<home>/logs/server.log`; please report it.",
    ),
    "unavailable": HelpPage(
        "A part is away",
        "The server answers, but a part it needs does not.",
        "Try again; the answer says which part it is.",
    ),
    "not_ready": HelpPage(
        "The server is not ready",
        "Its database does not answer, or a background duty has not succeeded lately.",
        "See `<home>/logs/server.log`. Right after a start this lasts for seconds.",
    ),
    "unreachable": HelpPage(
        "No server answers",
        "Nothing answered at the address that the client knows.",
        "Start one with `railyard up`, or point the client elsewhere: `railyard login URL`.",
    ),
    "timeout": HelpPage(
        "Time is up",
        "As a job's reason: the attempt ran longer than `timeout_seconds`, which is wall-clock time. From the "
        "client: what was "
        "waited for is still going; nothing was stopped.",
        "Give it more time, or less to do.",
    ),
    "job_failed": HelpPage(
        "The job failed",
        "The job that was waited for ended as failed.",
        "`railyard job show ID` has its reason; each reason has a page here.",
    ),
    "job_cancelled": HelpPage(
        "The job was cancelled",
        "Somebody asked for it; see the job's events.",
        "`railyard job rerun ID` starts it again.",
    ),
    "configuration": HelpPage(
        "The settings do not hold together",
        "A value in `railyard.toml`, a `RAILYARD_…` variable or a flag cannot be used.",
        "`railyard config` prints every value and where it came from.",
    ),
    "missing_extra": HelpPage(
        "A part is not installed",
        "`railyard` alone is the client and the command line; server and training come as extras.",
        'Install it: `pip install "railyard[all]"`.',
    ),
}

_INTAKE = {
    "unknown_compute_class": HelpPage(
        "No such compute class",
        "`compute_resource` names a class that this server does not offer.",
        "`railyard compute list` shows the classes; the nearest name stands in the answer. An operator adds one in "
        "`railyard.toml`.",
    ),
    "beyond_class": HelpPage(
        "More than the class allows",
        "`resources` overrides what a class gives, within the class's limits.",
        "Ask for less, or choose a larger class.",
    ),
    "other_currency": HelpPage(
        "A cap in another currency",
        "`max_cost` is held against the class's price, and amounts are never converted.",
        "State `max_cost` in the currency that `railyard compute list` shows for the class.",
    ),
    "beyond_capacity": HelpPage(
        "No machine is that large",
        "The request could never start here: it needs more CPU, memory or GPUs than there are in all.",
        "Ask for less, choose another class, or run the server on a larger machine.",
    ),
    "unknown_workflow": HelpPage(
        "No such workflow",
        "No code version that the request may use holds a class of this name.",
        "`railyard workflow list` shows the names. `railyard deploy` makes your project's workflows known; the CLI "
        "sends the current folder along.",
    ),
    "broken_workflow": HelpPage(
        "The workflow's file does not load",
        "The class exists, but importing its file fails; its traceback stands in the answer.",
        "Correct the file and send it again. `railyard workflow show NAME` has the traceback.",
    ),
    "invalid_params": HelpPage(
        "`custom_params` do not fit the workflow",
        "The workflow declares its parameters by a dataclass, and these do not fit it.",
        "Correct the fields named; `railyard workflow show NAME` prints the schema.",
    ),
    "workers_unsupported": HelpPage(
        "One process per training here",
        "`workers` above 1 asks for a distributed training, which this server's executor does not offer.",
        "Leave `workers` out. Threads of one machine are given by `resources.cpu`.",
    ),
    "unknown_connection": HelpPage(
        "No such SQL connection",
        "`data.features[].connection` names a connection that the server's settings do not have.",
        "An operator adds it in `railyard.toml` under `[connections]`; the names there are listed in the answer.",
    ),
}

_REASONS = {
    "user_code": HelpPage(
        "The workflow raised",
        "Your code raised an exception, or returned something that is not a model. Message and frames stand in the "
        "job's error.",
        "`railyard job logs ID` has what was printed before. Correct the workflow and `railyard job rerun ID "
        "--latest`.",
    ),
    "out_of_memory": HelpPage(
        "Out of memory",
        "The attempt's processes together passed their memory limit, or the machine had none left. Peak and limit "
        "stand in the evidence.",
        'Run again with more: `railyard job rerun ID -r memory=12Gi`, a larger class, or `"retry": '
        '{"out_of_memory": {"max": 1}}`, '
        "which goes to the next class by itself. Fewer columns and stricter filters help too.",
    ),
    "data_not_found": HelpPage(
        "The data is not there",
        "A path matches no file, a bucket or a table does not exist, or access was refused.",
        "Check the path and the credentials; `--dry-run` reads the schema without training.",
    ),
    "data_changed": HelpPage(
        "The data changed while it was read",
        "A file had another size or etag at the end than at the start, so the result would have no stated origin.",
        "Run again when nobody writes there; better, write new files under new names.",
    ),
    "schema_mismatch": HelpPage(
        "The columns do not fit",
        "A column that the request needs does not exist in the source, or a filter's value cannot be compared with "
        "its type. The "
        "available columns stand in the evidence.",
        "Correct the names; a workflow that makes columns itself lists them in `derives`.",
    ),
    "bad_label": HelpPage(
        "The label cannot be learned",
        "The label column is empty, holds one value only, or has a type that no metric fits.",
        "Check `train.label` and the filters.",
    ),
    "empty_train": HelpPage(
        "No training rows are left",
        "After filters and holdout the training set is empty.",
        "Loosen the filters, or make the holdout smaller.",
    ),
    "empty_holdout": HelpPage(
        "No holdout rows are left",
        "The holdout asked for holds no row, so nothing could be evaluated.",
        'Check the range, the values or the fraction; `"sampling_function": "NONE"` says that no holdout is wanted.',
    ),
    "serialization": HelpPage(
        "The model cannot be saved and read back",
        "The fitted model could not be written, or read back in another process it scored differently.",
        "Return a model that its framework can save, or give the workflow `serialize` and `deserialize`.",
    ),
    "runtime_build": HelpPage(
        "The runtime cannot be built",
        "The code project's lock could not be installed; uv's own words stand in the message.",
        "Correct the lock; `uv pip install -r <lock>` shows the same on your machine.",
    ),
    "image_pull": HelpPage(
        "The image cannot be pulled",
        "The cluster could not fetch the attempt's image.",
        "Check the registry and its credentials.",
    ),
    "disk_full": HelpPage(
        "The disk is full",
        "There was no room for scratch files, logs or artifacts.",
        "Free space under the server's home, then run again.",
    ),
    "storage_unavailable": HelpPage(
        "The artifact store does not answer",
        "Artifacts could not be written or read.",
        "See that the folder or the object store is there, reachable and not full.",
    ),
    "preempted": HelpPage("Preempted", "The machine was taken away. It is tried again without limit.", "Nothing."),
    "node_lost": HelpPage(
        "The machine was lost", "The machine under the attempt went away.", "Nothing: it is tried again."
    ),
    "lost": HelpPage(
        "The attempt was lost",
        "Its processes are gone without a report, and nothing says why: killed from outside, or the machine restarted.",
        "It is tried again within the `infrastructure` budget. If it repeats, look at the machine's own log.",
    ),
    "unschedulable": HelpPage(
        "No place fits",
        "No place is large enough for what the job asks.",
        "Ask for less: `railyard compute list` shows what there is.",
    ),
    "queue_timeout": HelpPage(
        "Queued too long",
        "The job waited longer than `queue_timeout_seconds`.",
        "Run again when there is room, or give it a higher priority.",
    ),
    "budget": HelpPage(
        "The budget is spent", "The attempts so far cost what `max_cost` allows.", "Run again with a larger `max_cost`."
    ),
    "cancelled_by_user": HelpPage(
        "Cancelled", "Somebody asked for it; the events say who and when.", "`railyard job rerun ID` starts it again."
    ),
    "waiting_capacity": HelpPage(
        "Waiting for room",
        "Everything that fits is in use.",
        "Nothing: it starts when others end. `railyard compute list` shows how full it is.",
    ),
    "waiting_fair_share": HelpPage(
        "Waiting for its turn",
        "Other owners have fewer attempts going, so theirs come first.",
        "Nothing; `priority` orders only the jobs of one owner.",
    ),
    "waiting_quota": HelpPage(
        "Waiting for quota",
        "The owner, or the class, has as many attempts at once as it may.",
        "Nothing, or ask an operator for more.",
    ),
    "waiting_retry": HelpPage(
        "Waiting before the next attempt", "The last attempt ended; the pause doubles with each.", "Nothing."
    ),
    "waiting_runtime": HelpPage(
        "Waiting for the runtime",
        "The code project's dependencies are being installed, once per lock.",
        "Nothing; it takes seconds to minutes.",
    ),
    "waiting_scale_up": HelpPage("Waiting for a machine", "The cluster is adding a machine.", "Nothing."),
    "image_pulling": HelpPage("Fetching the image", "The machine is fetching the attempt's image.", "Nothing."),
}

_STORE = {
    "bad_key": HelpPage(
        "Not an artifact's path",
        "Paths are relative, with `/` between parts, without `..`, backslashes or control characters.",
        "Correct the path.",
    ),
    "artifact_not_found": HelpPage(
        "No such artifact", "The job has no artifact at this path.", "`GET /v1/jobs/{id}/artifacts` lists what it has."
    ),
    "artifact_exists": HelpPage(
        "The artifact is stored already", "An artifact never changes once it is stored.", "Store it under another path."
    ),
    "database_in_use": HelpPage(
        "Another server uses this home",
        "Two servers cannot share one home folder.",
        "`railyard down` stops the other; `--data-dir` names another folder.",
    ),
    "database_start": HelpPage(
        "The embedded database does not start",
        "PostgreSQL's own last words stand in the answer.",
        "See `<home>/postgres/` for its log.",
    ),
    "database_password": HelpPage(
        "The embedded database's password file was changed",
        "The file no longer holds the password the database was made with.",
        "Put the original file back.",
    ),
    "database_root": HelpPage(
        "PostgreSQL does not run as root",
        "PostgreSQL refuses root, and this machine does not let root become an ordinary user in a namespace.",
        "Start Railyard as an ordinary user, or give it a database of your own: `RAILYARD_DATABASE_URL`.",
    ),
    "home_in_use": HelpPage(
        "Another server runs on this home",
        "One home belongs to one server.",
        "`railyard down` stops it; `--data-dir` names another folder.",
    ),
}

_JOBS = {
    "job_not_found": HelpPage(
        "No such job",
        "No job's id is this or starts with it.",
        "`railyard job list` shows the jobs; `--owner`, `--state` and others narrow it.",
    ),
    "job_final": HelpPage(
        "The job is over",
        "A final state never changes, so there is nothing to cancel.",
        "`railyard job rerun ID` starts the request again.",
    ),
    "job_not_final": HelpPage(
        "No result yet",
        "A result is there once the job has ended, well or badly.",
        "Wait for it: `railyard job watch ID`.",
    ),
    "attempt_not_found": HelpPage(
        "No such attempt",
        "The job has had no attempt of this number.",
        "`railyard job show ID --attempts` lists them; they are numbered from 1.",
    ),
    "log_gone": HelpPage(
        "That part of the log is no longer stored",
        "Logs are kept for as long as the server's retention says.",
        "Later lines may still be there; the result stays for ever.",
    ),
    "model_not_found": HelpPage(
        "No such model",
        "No model id or name is this or starts with it.",
        "`railyard model list` shows the names, `railyard model show NAME` the ids behind one.",
    ),
    "model_exists": HelpPage(
        "The model is registered already",
        "A model's id is the hash of its manifest, and another job has delivered that very manifest.",
        "Look at it: `railyard model show ID`.",
    ),
    "bad_cursor": HelpPage(
        "Not a cursor",
        "`after` is the `next` of the page before, or the id of an event of the same stream.",
        "Start again without `after`.",
    ),
    "bad_limit": HelpPage(
        "A page of that size is not to be had",
        "Pages have a largest size, which the answer names.",
        "Ask for less and follow `next`.",
    ),
}

_RUNNER = {
    "bad_attempt_token": HelpPage(
        "Not this attempt's token",
        "Each attempt has a token of its own, which opens only its own endpoints.",
        "Only the runner of an attempt calls these.",
    ),
    "stale_attempt": HelpPage(
        "The attempt may no longer report",
        "It is over, or another attempt of its job has begun: whatever it still says changes nothing.",
        "Nothing: the runner stops by itself.",
    ),
    "protocol_version": HelpPage(
        "Runner and server are of different versions",
        "The runner in the job's runtime speaks another version of the protocol than this server.",
        "Build the runtime again: `railyard deploy`.",
    ),
    "invalid_manifest": HelpPage(
        "The result does not hold",
        "What an attempt delivered as its result contradicts itself or the attempt.",
        "This is a fault of the runner; please report it.",
    ),
    "artifact_mismatch": HelpPage(
        "Artifacts are missing",
        "The result names files that did not arrive, or arrived with other bytes.",
        "Run again; if it repeats, look at the disk and the artifact store.",
    ),
    "bad_line_number": HelpPage(
        "Lines are numbered from 1",
        "A chunk of log lines begins at a number below 1.",
        "This is a fault of the runner; please report it.",
    ),
    "bad_ordinal": HelpPage(
        "Points are numbered from 1",
        "A batch of metric points begins at a number below 1.",
        "This is a fault of the runner; please report it.",
    ),
    "cannot_warm": HelpPage(
        "No warm interpreter",
        "The runtime's interpreter cannot be kept warm, so attempts start cold, a few seconds slower.",
        "The message says why; most often the runtime lacks a package that the runner needs.",
    ),
    "runner_ended": HelpPage(
        "The runner ended without an answer",
        "A question to the runtime, such as the plan of a request, ended its process.",
        "Its last words stand in the answer; importing the workflow's libraries may be what ends it.",
    ),
    "runner_refused": HelpPage(
        "The runner could not answer",
        "A question to the runtime was not understood, or failed there.",
        "The answer says why; build the runtime again with `railyard deploy` where versions differ.",
    ),
}

_CODE = {
    "unknown_code": HelpPage(
        "No such code version",
        "No code version has this id, or this `project@version`.",
        "`railyard code list` shows them; `railyard deploy` sends a project.",
    ),
    "broken_code": HelpPage(
        "The code cannot run",
        "Its runtime could not be built, or none of its workflows loads; the reason stands in the answer.",
        "Correct the code project and send it again.",
    ),
    "code_building": HelpPage(
        "The code is not ready yet",
        "Its runtime is being built, once for each lock.",
        "Wait for it; `railyard deploy` does.",
    ),
    "code_not_ready": HelpPage(
        "The code is not ready",
        "The runner asked for its code before it was laid out, or after it became broken.",
        "It is tried again.",
    ),
    "bad_bundle": HelpPage(
        "Not a bundle",
        "The bytes are no bundle, or one that was changed.",
        "Code: send the folder with `railyard deploy`. A model: save it again.",
    ),
    "bad_lock": HelpPage(
        "The lock does not hold",
        "A lock pins every package, one `name==version` a line, with hashes where there are any.",
        "`uv pip compile --generate-hashes pyproject.toml -o requirements.lock`.",
    ),
    "bad_version": HelpPage(
        "Not a version's name",
        "A version is made of letters, digits, `.`, `_` and `-`.",
        "Choose another one.",
    ),
    "version_taken": HelpPage(
        "The version is taken",
        "A version never moves to other code.",
        "Deploy under another version, or without one.",
    ),
    "workflow_claimed": HelpPage(
        "The workflow's name is taken",
        "A workflow's name lives in one code project per server, so that a request that names no code is never "
        "ambiguous.",
        "Rename the class, or the one in the other project.",
    ),
    "no_interpreter": HelpPage(
        "That Python is not here",
        "The code project asks for a Python version that is not on the server's machine.",
        "Install it, or name its path in the setting `pythons`.",
    ),
}

_DATA = {
    "unknown_metric": HelpPage(
        "No such metric",
        "`evaluation.metrics` names a metric that there is not.",
        "The nearest names stand in the answer.",
    ),
    "bad_scores": HelpPage(
        "The scores do not fit",
        "`score` returned something else than one finite score, or one row of scores, for each row.",
        "Return an array as long as the frame that was handed in.",
    ),
    "bad_slice": HelpPage(
        "The slice does not fit",
        "A slice's column has another number of rows than the label.",
        "Do not add or drop rows in `score` or `preprocess` of the holdout.",
    ),
}

_COMMAND_LINE = {
    "bad_project": HelpPage(
        "The code project's settings do not hold",
        "`[tool.railyard]` in `pyproject.toml` cannot be read or holds something unknown.",
        "Correct the fields named.",
    ),
    "no_project": HelpPage(
        "Not a code project",
        "Neither this folder nor one above it holds `workflows/` or a `pyproject.toml` with `[tool.railyard]`.",
        "`railyard init DIR` writes one.",
    ),
    "no_request_file": HelpPage(
        "No such request file",
        "There is no file of this name.",
        "`railyard init demo` writes a project with a request to start from.",
    ),
    "no_jobs": HelpPage(
        "There is no job yet",
        "`@last` and `@mine` mean jobs that exist.",
        "`railyard train request.json5`.",
    ),
    "exists": HelpPage(
        "Something is there already",
        "`railyard init` overwrites nothing.",
        "Choose another folder, or move the files away.",
    ),
    "no_template": HelpPage(
        "The demo project is missing",
        "It is a part of every installation.",
        "Install the package again.",
    ),
    "no_demo_data": HelpPage(
        "The demo's data could not be made",
        "The project is written, but the script that makes its data failed.",
        "Install `railyard[all]`, then run the script: the answer names it.",
    ),
    "not_railyard": HelpPage(
        "Something else answers there",
        "What answers at this address is not a Railyard server.",
        "`railyard whoami` shows the address and where it came from.",
    ),
    "server_ended": HelpPage(
        "The server did not stay up",
        "It ended while it was being waited for; its last words stand in the answer.",
        "`railyard doctor`, and `<home>/logs/server.log`.",
    ),
}

PAGES: dict[str, HelpPage] = _ANSWERS | _INTAKE | _JOBS | _RUNNER | _CODE | _DATA | _REASONS | _STORE | _COMMAND_LINE
"""Every code that an error, or the end or the wait of a job, can carry."""
