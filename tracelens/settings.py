"""Settings: the user's own decide; a workspace can only say what concerns itself.

Where answers come from, what is sent, and what may run are the user's to decide: they are read from the user's
configuration file and from the environment alone. A workspace file (`[tool.tracelens]` in pyproject.toml) that sets
one of them is refused, with a line that says so: a repository must not be able to point a key at its own server.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, cast

from tracelens_indexer.errors import TraceLensError

OPENAI = "https://api.openai.com/v1"
SendValues = Literal["none", "shapes", "redacted", "full"]
_SEND: tuple[SendValues, ...] = ("none", "shapes", "redacted", "full")
"""From the least to the most that leaves this machine."""

_RECORDERS = {"record", "redact"}
"""Tables for the recorder, which reads them itself."""
_WORKSPACE_KEYS = {"llm": {"send_values"}, "diagnostics": {"ignore"}, "name": set[str]()}
"""What a workspace file may say; of `send_values` only less than the user allows. It may also have a table `paths`,
which says what folder of this workspace a prefix of the paths in traces is: that concerns itself alone."""


@dataclass(frozen=True, slots=True)
class LlmEndpoint:
    """An endpoint that speaks Chat Completions."""

    base_url: str
    model: str
    key: str = field(repr=False, default="")
    """Belongs to `base_url`: a key from one source is never sent to an endpoint from another."""
    send_values: SendValues = "shapes"
    timeout_seconds: float = 120.0


@dataclass(frozen=True, slots=True)
class Settings:
    llm: LlmEndpoint | None = None
    """None: no endpoint is configured, nothing is sent anywhere."""
    embedding_model: str = ""
    """A sentence-transformers model; "" is the one that ships with TraceLens, "none" is full-text search alone."""
    rescoring_model: str = ""
    """A model that scores the first results of a search again; "" is no second stage."""
    embedding_base_url: str = ""
    """Endpoint of the models that are named "endpoint:…"; code is sent there."""
    embedding_key: str = field(repr=False, default="")
    project_python: str = ""
    """Interpreter of the user's programs; "" finds it."""
    paths: tuple[tuple[str, str], ...] = ()
    """(prefix of paths in traces, folder in the workspace): "/app/src" is "src". Longest prefix first."""
    ignore: tuple[str, ...] = ()
    """Diagnostics that nobody wants: rules, or "tests/*: rule" (answers/ignored.py)."""
    readers: tuple[str, ...] = ()
    """Names of others' readers of trace formats that may run."""
    warnings: tuple[str, ...] = ()
    """Lines for the person: what was refused or not understood."""


def user_file() -> Path:
    """The user's configuration file; TRACELENS_CONFIG names another."""
    named = os.environ.get("TRACELENS_CONFIG")
    if named:
        return Path(named)
    from platformdirs import user_config_path

    return user_config_path("tracelens") / "config.toml"


def load(root: Path, environ: Mapping[str, str] = os.environ) -> Settings:
    """Settings for a workspace. Raises TraceLensError when the user's own file cannot be read."""
    path = user_file()
    user = _read(path)
    if isinstance(user, str):
        raise TraceLensError(f"{path}: {user}")
    warnings: list[str] = []
    for section in user:
        if section not in ("llm", "embedding", "project", "paths", "plugins", "diagnostics"):
            warnings.append(f"{path}: nothing is known of [{section}]")
    workspace, refused = _workspace(root)
    warnings += refused

    llm = _endpoint(_table(user, "llm", path), environ, path)
    wanted = workspace.get("llm", {}).get("send_values")
    if llm and wanted in _SEND and _SEND.index(wanted) < _SEND.index(llm.send_values):
        llm = LlmEndpoint(llm.base_url, llm.model, llm.key, wanted, llm.timeout_seconds)
    embedding = _table(user, "embedding", path)
    base_url, key = _embedding_endpoint(embedding, environ)
    return Settings(
        llm=llm,
        embedding_model=environ.get("TRACELENS_EMBEDDING_MODEL") or str(embedding.get("model", "")),
        rescoring_model=environ.get("TRACELENS_RESCORING_MODEL") or str(embedding.get("rescore", "")),
        embedding_base_url=base_url,
        embedding_key=key,
        project_python=environ.get("TRACELENS_PYTHON") or str(_table(user, "project", path).get("python", "")),
        paths=_paths(
            ((_table(user, "paths", path), path), (_table(workspace, "paths", path), root / "pyproject.toml")), warnings
        ),
        ignore=(*_texts(_table(user, "diagnostics", path)), *_texts(_table(workspace, "diagnostics", path))),
        readers=_readers(_table(user, "plugins", path), path, warnings),
        warnings=tuple(warnings),
    )


def _texts(table: Mapping[str, Any]) -> tuple[str, ...]:
    listed = table.get("ignore", ())
    return tuple(entry for entry in listed if isinstance(entry, str)) if isinstance(listed, list) else ()


def _readers(table: Mapping[str, Any], path: Path, warnings: list[str]) -> tuple[str, ...]:
    """Of the user's own file alone: a repository must not be able to have code run."""
    found = table.get("readers", [])
    if not isinstance(found, list) or not all(isinstance(name, str) and name.isidentifier() for name in found):
        warnings.append(f"{path}: plugins: readers must be a list of names")
        return ()
    return tuple(found)


def _paths(tables: Sequence[tuple[Mapping[str, Any], Path]], warnings: list[str]) -> tuple[tuple[str, str], ...]:
    """The mappings of all tables, the first table's first where two say the same prefix."""
    found: dict[str, str] = {}
    for table, path in tables:
        for prefix, folder in table.items():
            parts = folder.replace("\\", "/").split("/") if isinstance(folder, str) else [".."]
            if not prefix.strip("/") or ".." in parts or parts[0].endswith(":") or (len(parts) > 1 and not parts[0]):
                warnings.append(f"{path}: paths: {prefix!r} must be a prefix, and {folder!r} a folder in the workspace")
            else:
                found.setdefault(prefix, "/".join(part for part in parts if part not in ("", ".")))
    return tuple(sorted(found.items(), key=lambda entry: -len(entry[0])))


def _endpoint(table: Mapping[str, Any], environ: Mapping[str, str], path: Path) -> LlmEndpoint | None:
    """The environment's endpoint, else the file's; each with its own key."""
    send = environ.get("TRACELENS_LLM_SEND_VALUES") or table.get("send_values")
    if send is not None and send not in _SEND:
        raise TraceLensError(f"{path}: send_values must be one of {', '.join(_SEND)}, not {send!r}")
    timeout = float(table.get("timeout_seconds", 120.0))
    if "TRACELENS_LLM_BASE_URL" in environ or "TRACELENS_LLM_MODEL" in environ:
        base_url = environ.get("TRACELENS_LLM_BASE_URL", OPENAI)
        model = environ.get("TRACELENS_LLM_MODEL", "")
        key = environ.get("TRACELENS_LLM_KEY", "")
        where = "environment"
    elif table:
        base_url = str(table.get("base_url", OPENAI))
        model = str(table.get("model", ""))
        key = str(table.get("key", "")) or environ.get(str(table.get("key_env", "")), "")
        where = str(path)
    else:
        return None
    if not model:
        raise TraceLensError(f"{where}: an endpoint is set but no model; set llm.model (or TRACELENS_LLM_MODEL)")
    if not key and base_url.rstrip("/") == OPENAI:
        key = environ.get("OPENAI_API_KEY", "")
    allowed = cast(SendValues, send or ("redacted" if is_loopback(base_url) else "shapes"))
    return LlmEndpoint(base_url, model, key, allowed, timeout)


def _embedding_endpoint(table: Mapping[str, Any], environ: Mapping[str, str]) -> tuple[str, str]:
    """(address, key): the environment's, else the file's; each with its own key."""
    if "TRACELENS_EMBEDDING_BASE_URL" in environ:
        return environ["TRACELENS_EMBEDDING_BASE_URL"], environ.get("TRACELENS_EMBEDDING_KEY", "")
    key = str(table.get("key", "")) or environ.get(str(table.get("key_env", "")), "")
    return str(table.get("base_url", "")), key


def is_loopback(base_url: str) -> bool:
    from urllib.parse import urlsplit

    host = urlsplit(base_url).hostname or ""
    return host in ("localhost", "::1") or host.startswith("127.")


def _workspace(root: Path) -> tuple[dict[str, Any], list[str]]:
    """What the workspace may say, and a line for each thing it may not."""
    path = root / "pyproject.toml"
    content = _read(path)
    if isinstance(content, str):
        return {}, []
    table = content.get("tool", {}).get("tracelens", {})
    if not isinstance(table, dict):
        return {}, []
    allowed: dict[str, Any] = {}
    refused: list[str] = []
    for section, value in table.items():
        if section in _RECORDERS and isinstance(value, dict):
            continue
        if section == "paths" and isinstance(value, dict):
            allowed[section] = value
            continue
        keys = _WORKSPACE_KEYS.get(section)
        if keys is None or not isinstance(value, dict):
            if keys is not None:
                allowed[section] = value
                continue
            refused.append(section)
            continue
        allowed[section] = {key: item for key, item in value.items() if key in keys}
        refused += [f"{section}.{key}" for key in value if key not in keys]
    lines = [
        f"{path}: tool.tracelens.{name} is refused: only your own configuration may set it ({user_file()})"
        for name in refused
    ]
    return allowed, lines


def _read(path: Path) -> dict[str, Any] | str:
    """The file's content, {} when there is none, or what is wrong with it."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        return f"is not valid TOML ({error})"


def _table(content: Mapping[str, Any], name: str, path: Path) -> Mapping[str, Any]:
    table = content.get(name, {})
    if not isinstance(table, dict):
        raise TraceLensError(f"{path}: [{name}] must be a table")
    return table
