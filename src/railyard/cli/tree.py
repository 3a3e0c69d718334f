"""Every command of `railyard`: name, where it lives, one line of help. Nothing is imported before it is asked for."""

from __future__ import annotations

from railyard.cli.groups import Entry

START, TRAIN, LOOK, SERVER = "Start", "Train", "Look", "Server and access"

ROOT: dict[str, Entry] = {
    "up": Entry("up:up", "Start everything on this computer: database, server, local executor.", START),
    "down": Entry("down:down", "Stop the server on this computer.", START),
    "init": Entry("init:init", "Write a runnable project, with its own demo data.", START),
    "doctor": Entry("doctor:doctor", "Check server, token, disk, extras; each problem with its mend.", START),
    "train": Entry("train:train", "Train a model from a request.", TRAIN),
    "deploy": Entry("deploy:deploy", "Make a code project what plain requests run.", TRAIN),
    "job": Entry("job:job", "List, follow, compare, cancel and rerun jobs.", TRAIN),
    "model": Entry("model:model", "The registry: models and their immutable ids.", LOOK),
    "workflow": Entry("workflow:workflow", "Workflows that the deployed code offers.", LOOK),
    "code": Entry("code:code", "Code versions that the server holds.", LOOK),
    "compute": Entry("compute:compute", "Compute classes, and how full they are.", LOOK),
    "open": Entry("open:open_", "Open the dashboard, or one job, in a browser.", LOOK),
    "login": Entry("login:login", "Sign in to a server.", SERVER),
    "logout": Entry("logout:logout", "Forget the token of a server.", SERVER),
    "whoami": Entry("whoami:whoami", "Who you are, where, and where each value came from.", SERVER),
    "context": Entry("context:context", "The servers you are signed in to.", SERVER),
    "token": Entry("token:token", "Create, list and revoke tokens.", SERVER),
    "config": Entry("config:config", "The server's settings, each with where it came from.", SERVER),
    "api": Entry("api:api", "Call any path of the API, signed in.", SERVER),
    "completion": Entry("completion:completion", "Print the completion script of your shell.", SERVER),
    "help": Entry("help:help_", "Longer texts: exit-codes.", SERVER),
}

JOB: dict[str, Entry] = {
    "list": Entry("job_list:list_", "Jobs, newest first."),
    "ls": Entry("job_list:list_", "Jobs, newest first.", hidden=True),
    "show": Entry("job_show:show", "One job: state, steps, metrics, cost, why it failed."),
    "logs": Entry("job_logs:logs", "Its log, live with -f."),
    "watch": Entry("job_watch:watch", "Wait for it, showing its steps."),
    "metrics": Entry("job_metrics:metrics", "Its metrics on the holdout and while training."),
    "cost": Entry("job_cost:cost", "What it cost, and how that came about."),
    "artifacts": Entry("job_artifacts:artifacts", "Its files: ls, get."),
    "compare": Entry("job_compare:compare", "Jobs side by side: metrics, parameters, request, data."),
    "cancel": Entry("job_cancel:cancel", "Ask for its end."),
    "rerun": Entry("job_rerun:rerun", "A new job from the same request, changed where you say."),
}

ARTIFACTS: dict[str, Entry] = {
    "ls": Entry("job_artifacts:ls", "The files of a job."),
    "get": Entry("job_artifacts:get", "Download one file, or all of them."),
}

MODEL: dict[str, Entry] = {
    "list": Entry("model:list_", "Model names, each with its newest id."),
    "show": Entry("model:show", "One name with its ids, or one id."),
}

WORKFLOW: dict[str, Entry] = {
    "list": Entry("workflow:list_", "Every workflow the server knows."),
    "show": Entry("workflow:show", "One workflow with its parameters."),
}

CODE: dict[str, Entry] = {
    "list": Entry("code:list_", "Code versions, newest first."),
    "show": Entry("code:show", "One code version."),
}

COMPUTE: dict[str, Entry] = {
    "list": Entry("compute:list_", "Compute classes: size, price, how full."),
}

CONTEXT: dict[str, Entry] = {
    "list": Entry("context:list_", "The servers you are signed in to."),
    "use": Entry("context:use", "Make one of them the current one."),
}

TOKEN: dict[str, Entry] = {
    "create": Entry("token:create", "A new token; its secret is shown once."),
    "list": Entry("token:list_", "Tokens without their secrets."),
    "revoke": Entry("token:revoke", "End a token's life."),
}
