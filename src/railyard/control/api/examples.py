"""The examples that the OpenAPI document shows: one fraud model, from its request to its result."""

from __future__ import annotations

from typing import Any

REQUEST: dict[str, Any] = {
    "model_description": "A model to predict fraud",
    "model_name": "fraud_prediction_model",
    "owner": "machine-learning-infrastructure",
    "project": "railyard-api-blog-post",
    "trainer": "robstory",
    "data": {
        "features": [
            {
                "names": ["created_at", "charge_type", "charge_amount", "charge_country", "has_fraud_dispute"],
                "source": "s3",
                "path": "s3://path/to/parquet/fraud_data.parq",
            }
        ],
        "date_column": "created_at",
        "filters": [
            {"feature_name": "charge_amount", "predicate": "Gt", "feature_value": {"float_val": 10.0}},
        ],
        "holdout_sampling": {
            "sampling_function": "DATE_RANGE",
            "date_range_sampling": {
                "date_column": "created_at",
                "start_date": "2018-10-01",
                "end_date": "2019-01-01",
            },
        },
    },
    "train": {
        "workflow_name": "StripeFraudModel",
        "classifier_features": ["charge_type", "charge_amount", "charge_country"],
        "label": "is_fraudulent",
        "custom_params": {"max_depth": 6, "learning_rate": 0.02},
    },
}

COST = {
    "amount": "0.0008", "currency": "USD", "basis": "metered", "core_hours": 0.0116,
    "formula": "(1 cpu × 0.05 + 4.00 GB × 0.005) USD/h × 0.0116 h",
}  # fmt: skip

METRICS = {"train": {"auc": 0.941}, "holdout": {"auc": 0.912, "log_loss": 0.21}}

STEP = {
    "name": "train", "started_at": "2026-11-21T09:12:06Z", "finished_at": "2026-11-21T09:12:40Z", "seconds": 34.1,
    "peak_memory": 412000000,
}  # fmt: skip

JOB: dict[str, Any] = {
    "job_id": "j81f3k2abq", "seq": 42, "state": "succeeded", "reason": None, "message": None,
    "cancel_requested_at": None, "model_name": "fraud_prediction_model",
    "model_description": "A model to predict fraud",
    "owner": "machine-learning-infrastructure", "project": "railyard-api-blog-post", "trainer": "robstory",
    "submitted_by": "admin", "workflow_name": "StripeFraudModel", "code": "c3fa9c1d20b7e", "git_sha": "a41c9e2",
    "dirty": False, "experimental": False, "compute_resource": "CPU", "priority": 0, "labels": {}, "rerun_of": None,
    "attempt": 1, "step": "save", "progress": None, "node": "laptop", "queue_position": None,
    "created_at": "2026-11-21T09:12:00Z", "started_at": "2026-11-21T09:12:01Z", "finished_at": "2026-11-21T09:12:43Z",
    "not_before": None, "steps": [STEP], "usage": {"memory_bytes": 0, "peak_memory_bytes": 412000000,
    "cpu_seconds": 40.2}, "model_id": "fraud_prediction_model:3fa9c1d20b7e", "metrics": METRICS,
    "data": None, "error": None, "cost": COST,
}  # fmt: skip

PLAN: dict[str, Any] = {
    "resolved_request": REQUEST, "code": "c3fa9c1d20b7e", "compute_resource": "CPU", "cpu": 1.0,
    "memory_bytes": 4294967296, "columns": {"created_at": "Datetime", "charge_amount": "Float64"}, "rows_total": 200000,
    "rows_estimated": 120000, "bytes_estimated": 5300000, "seconds_estimated": 42.0, "jobs_seen": 3,
    "cost": {**COST, "basis": "estimated"}, "queue_position": 1, "warnings": [],
}  # fmt: skip

ATTEMPT: dict[str, Any] = {
    "name": "j81f3k2abq-1", "job_id": "j81f3k2abq", "number": 1, "state": "succeeded", "reason": None, "error": None,
    "executor": "local", "node": "laptop", "warm": True, "compute_resource": "CPU", "cpu": 1.0,
    "memory_bytes": 4294967296, "gpu": 0, "claimed_at": "2026-11-21T09:12:01Z", "started_at": "2026-11-21T09:12:01Z",
    "finished_at": "2026-11-21T09:12:43Z", "heartbeat_at": "2026-11-21T09:12:41Z", "usage": JOB["usage"],
    "steps": [STEP], "log_lines": 120, "cost": COST,
}  # fmt: skip

EVENT: dict[str, Any] = {
    "seq": 311, "job_id": "j81f3k2abq", "attempt": 1, "at": "2026-11-21T09:12:43Z", "kind": "succeeded", "by": "runner",
    "from_state": "running", "to_state": "succeeded", "reason": None, "message": None, "detail": {},
}  # fmt: skip

LINE: dict[str, Any] = {
    "line": 17, "attempt": 1, "rank": 0, "at": "2026-11-21T09:12:30Z", "source": "stdout",
    "text": "round 100 auc 0.901",
}  # fmt: skip

ARTIFACT: dict[str, Any] = {
    "kind": "model", "path": "model/model.ubj",
    "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "bytes": 181223, "format": "xgboost_ubj",
    "uri": "file:///home/me/.railyard/artifacts/jobs/j81f3k2abq/1/model/model.ubj",
}  # fmt: skip

RESULT: dict[str, Any] = {
    "job_id": "j81f3k2abq", "state": "succeeded", "reason": None, "attempt": 1,
    "model_id": "fraud_prediction_model:3fa9c1d20b7e", "workflow_name": "StripeFraudModel", "task": "binary",
    "request": "{…}", "resolved_request": {}, "code": {"code_id": "c3fa9c1d20b7e", "git_sha": "a41c9e2"},
    "data": None, "artifacts": [ARTIFACT], "metrics": METRICS, "steps": [STEP], "node": "laptop",
    "compute_resource": "CPU", "cost": COST, "error": None, "seed": 0, "warnings": [], "extra": {},
    "timestamps": {"submitted": "2026-11-21T09:12:00Z", "succeeded": "2026-11-21T09:12:43Z"},
}  # fmt: skip

MODEL: dict[str, Any] = {
    "model_id": "fraud_prediction_model:3fa9c1d20b7e", "name": "fraud_prediction_model",
    "manifest_sha256": "3fa9c1d20b7e…", "owner": "machine-learning-infrastructure",
    "project": "railyard-api-blog-post",
    "description": "A model to predict fraud", "job_id": "j81f3k2abq", "attempt": 1,
    "workflow_name": "StripeFraudModel", "code": "c3fa9c1d20b7e", "git_sha": "a41c9e2", "dirty": False,
    "experimental": False, "uri": "file:///home/me/.railyard/artifacts/jobs/j81f3k2abq/1/model",
    "info": {"manifest_sha256": "3fa9c1d20b7e…", "format": "xgboost_ubj", "pickled": False, "bytes": 181223,
             "framework": "xgboost", "framework_version": "3.2.0", "features": ["charge_amount"],
             "label": "is_fraudulent"},
    "metrics": METRICS, "data_sha256": "77af…", "created_at": "2026-11-21T09:12:43Z", "seq": 7,
}  # fmt: skip
