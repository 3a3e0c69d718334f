"""The environment of warm interpreters and attempts: what programs need to run, and none of the server's secrets."""

from __future__ import annotations

from collections.abc import Mapping

_NAMES = {
    "PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TZ", "TMPDIR", "LD_LIBRARY_PATH", "PYTHONPATH",
    "VIRTUAL_ENV", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY",
    "http_proxy", "https_proxy", "no_proxy", "JAVA_HOME",
}  # fmt: skip
_PREFIXES = ("LC_", "CUDA_", "NVIDIA_", "ROCM_", "HIP_")

_OURS = {
    # Threads that the parent starts are missing in its forks; the worker raises its share again after the fork.
    "OPENBLAS_NUM_THREADS": "1",
    # The same order of sets and dicts of strings in every run: one reason less for two runs to differ.
    "PYTHONHASHSEED": "0",
}


def runner_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """An allow-list: database passwords, object store keys and tokens of the server never reach user code."""
    passed = {name: value for name, value in environ.items() if name in _NAMES or name.startswith(_PREFIXES)}
    return passed | _OURS
