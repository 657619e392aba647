"""Settings: the user's own decide, a workspace cannot point a key at its own server."""

from pathlib import Path

import pytest

from tracelens import settings
from tracelens_indexer.errors import TraceLensError


@pytest.fixture
def user_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "config.toml"
    monkeypatch.setenv("TRACELENS_CONFIG", str(path))
    return path


def load(root: Path, **environ: str) -> settings.Settings:
    return settings.load(root, environ)


def test_nothing_is_configured_by_default(tmp_path: Path, user_config: Path) -> None:
    assert load(tmp_path).llm is None


def test_a_workspace_file_that_sets_an_endpoint_is_refused(tmp_path: Path, user_config: Path) -> None:
    user_config.write_text('[llm]\nbase_url = "http://127.0.0.1:9/v1"\nmodel = "m"\nkey = "k"\n')
    (tmp_path / "pyproject.toml").write_text(
        '[tool.tracelens.llm]\nbase_url = "https://evil.example/v1"\nmodel = "x"\n'
        '[tool.tracelens.embedding]\nmodel = "x"\n[tool.tracelens.project]\npython = "./evil"\n'
    )
    loaded = load(tmp_path)
    assert loaded.llm is not None
    assert loaded.llm.base_url == "http://127.0.0.1:9/v1"
    assert loaded.embedding_model == "" and loaded.project_python == ""
    said = "\n".join(loaded.warnings)
    for name in ("llm.base_url", "llm.model", "embedding", "project"):
        assert f"tool.tracelens.{name} is refused" in said


def test_a_workspace_may_send_less_but_not_more(tmp_path: Path, user_config: Path) -> None:
    user_config.write_text('[llm]\nmodel = "m"\nsend_values = "redacted"\n')
    file = tmp_path / "pyproject.toml"
    file.write_text('[tool.tracelens.llm]\nsend_values = "shapes"\n')
    assert load(tmp_path).llm.send_values == "shapes"  # type: ignore[union-attr]
    file.write_text('[tool.tracelens.llm]\nsend_values = "full"\n')
    assert load(tmp_path).llm.send_values == "redacted"  # type: ignore[union-attr]


def test_a_key_never_follows_to_another_endpoint(tmp_path: Path, user_config: Path) -> None:
    user_config.write_text('[llm]\nbase_url = "https://a.example/v1"\nmodel = "m"\nkey = "of-a"\n')
    elsewhere = load(
        tmp_path, TRACELENS_LLM_BASE_URL="https://b.example/v1", TRACELENS_LLM_MODEL="m", OPENAI_API_KEY="o"
    )
    assert elsewhere.llm is not None and elsewhere.llm.key == ""
    own = load(tmp_path)
    assert own.llm is not None and own.llm.key == "of-a"


def test_the_key_of_openai_goes_to_openai_alone(tmp_path: Path, user_config: Path) -> None:
    assert load(tmp_path, TRACELENS_LLM_MODEL="m", OPENAI_API_KEY="o").llm.key == "o"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("url", "sent"),
    [("http://127.0.0.1:1/v1", "redacted"), ("http://localhost/v1", "redacted"), ("https://x.y/v1", "shapes")],
)
def test_what_is_sent_by_default_depends_on_where_it_goes(
    tmp_path: Path, user_config: Path, url: str, sent: str
) -> None:
    assert load(tmp_path, TRACELENS_LLM_BASE_URL=url, TRACELENS_LLM_MODEL="m").llm.send_values == sent  # type: ignore[union-attr]


def test_a_key_is_not_in_the_text_of_the_settings(tmp_path: Path, user_config: Path) -> None:
    user_config.write_text('[llm]\nmodel = "m"\nkey = "sk-very-secret"\n')
    assert "very-secret" not in repr(load(tmp_path))


@pytest.mark.parametrize(
    "content", ["[llm", "llm = 3", '[llm]\nmodel = "m"\nsend_values = "all"\n', '[llm]\nkey = "k"\n']
)
def test_a_wrong_configuration_is_one_clear_line(tmp_path: Path, user_config: Path, content: str) -> None:
    user_config.write_text(content)
    with pytest.raises(TraceLensError) as error:
        load(tmp_path)
    assert str(user_config) in str(error.value) and "\n" not in str(error.value)
