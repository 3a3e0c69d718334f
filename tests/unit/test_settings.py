"""Settings: what wins, what is refused, and that no password is kept as a value."""

from pathlib import Path

import pytest

from railyard.errors import ConfigurationError
from railyard.settings import Settings, load, resolve


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "home").mkdir()
    (tmp_path / "cwd").mkdir()
    monkeypatch.chdir(tmp_path / "cwd")
    return tmp_path


def read(tmp_path: Path, **environ: str):
    return load({"home": str(tmp_path / "home")}, environ=environ)


def test_a_flag_beats_a_variable_beats_a_file_beats_the_default(tmp_path: Path):
    assert read(tmp_path).settings.port == 8787
    (tmp_path / "home" / "railyard.toml").write_text("port = 1")
    assert read(tmp_path).settings.port == 1
    (tmp_path / "cwd" / "railyard.toml").write_text("port = 2")
    assert read(tmp_path).settings.port == 2
    assert read(tmp_path, RAILYARD_PORT="3").settings.port == 3
    assert load({"home": str(tmp_path / "home"), "port": 4}, environ={"RAILYARD_PORT": "3"}).settings.port == 4


def test_every_value_says_where_it_came_from(tmp_path: Path):
    (tmp_path / "home" / "railyard.toml").write_text("port = 1")
    found = read(tmp_path, RAILYARD_HOST="0.0.0.0", RAILYARD_JOBS_HEARTBEAT_SECONDS="1")
    assert found.origins["port"] == str(tmp_path / "home" / "railyard.toml")
    assert found.origins["host"] == "RAILYARD_HOST"
    assert found.origins["jobs.heartbeat_seconds"] == "RAILYARD_JOBS_HEARTBEAT_SECONDS"
    assert found.origins["log_level"] == "default"
    assert found.settings.jobs.heartbeat_seconds == 1


def test_tables_of_several_files_are_merged_and_folders_are_relative_to_their_file(tmp_path: Path):
    project = tmp_path / "demo"
    project.mkdir()
    (project / "railyard.toml").write_text('[buckets]\npath = "data"\n')
    (tmp_path / "home" / "railyard.toml").write_text(
        f'include = ["{project}/railyard.toml"]\n[buckets]\nother = "/x"\n'
    )
    assert read(tmp_path).settings.buckets == {"path": str(project / "data"), "other": "/x"}


def test_databases_in_files_are_relative_to_the_settings_that_name_them(tmp_path: Path):
    kept = {
        "absolute": "duckdb:////srv/sales.db",
        "memory": "sqlite:///:memory:",
        "reference": "duckdb:///${SALES}",
        "server": "postgresql://reader@db/sales",
    }
    given = {**kept, "duck": "duckdb:///data/sales.db", "lite": "sqlite+pysqlite:///../sales.db?mode=ro"}
    lines = "".join(f'{name} = "{url}"\n' for name, url in given.items())
    (tmp_path / "home" / "railyard.toml").write_text(f"[connections]\n{lines}")
    assert read(tmp_path).settings.connections == kept | {
        "duck": f"duckdb:///{tmp_path}/home/data/sales.db",
        "lite": f"sqlite+pysqlite:///{tmp_path}/sales.db?mode=ro",
    }


def test_an_included_file_that_is_gone_does_not_stop_the_server(tmp_path: Path):
    (tmp_path / "home" / "railyard.toml").write_text('include = ["/nowhere/railyard.toml"]')
    assert read(tmp_path).settings.port == 8787


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("prt = 1", "did you mean port"),
        ('port = "many"', "port"),
        ("port = 99999", "port"),
        ('[connections]\ndw = "postgresql://me:secret@host/db"', "must be a reference"),
        ('[classes.BIG]\ncpu = 4\nmemory = "lots"', "12Gi"),
        ("port =", "cannot be read"),
        ('log_level = "loud"', "debug, info"),
    ],
)
def test_a_bad_file_is_refused_with_words_that_help(tmp_path: Path, text: str, words: str):
    (tmp_path / "home" / "railyard.toml").write_text(text)
    with pytest.raises(ConfigurationError, match=words) as caught:
        read(tmp_path)
    assert "secret" not in str(caught.value)


def test_passwords_are_references_resolved_when_needed(tmp_path: Path):
    (tmp_path / "password").write_text("from-file\n")
    url = "postgresql://me:${DW_PASSWORD}@host/${file:" + str(tmp_path / "password") + "}"
    assert resolve(url, {"DW_PASSWORD": "x"}) == "postgresql://me:x@host/from-file"
    with pytest.raises(ConfigurationError, match="DW_PASSWORD is not set"):
        resolve(url, {})


def test_the_built_in_classes_fit_the_machine_and_can_be_changed():
    small = Settings().compute_classes(cpu=2, memory=2**30, gpu=0)
    assert set(small) == {"CPU", "HIGH_MEMORY", "GPU"}
    assert small["GPU"].slots == 0
    changed = Settings(classes={"CPU": {"cpu": 2}, "BIG": {"cpu": 8, "memory": "64Gi"}}).compute_classes(8, 2**37, 0)
    assert changed["CPU"].cpu == 2
    assert changed["BIG"].memory == "64Gi"
