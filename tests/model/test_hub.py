"""Models by name: Hugging Face ids, revisions, folders and files. Functions that record their calls replace the hub."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest
import torch
from huggingface_hub.errors import (
    GatedRepoError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

import rfcli
from rfcli.errors import InputError
from rfcli.model import save_checkpoint
from rfcli.model.hub import locate
from rfcli.runtime.downloads import progress_bar
from tests.support.model_scenes import small_model

SHARDS = ["model-*-of-*.safetensors", "model.safetensors.index.json"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save_checkpoint(small_model(), tmp_path / "model", "# A card\n")
    return tmp_path / "model"


@pytest.fixture
def downloads(monkeypatch: pytest.MonkeyPatch, folder: Path) -> list[tuple[str, dict[str, Any]]]:
    """Repository and options of each download; every download returns `folder`."""
    calls: list[tuple[str, dict[str, Any]]] = []

    def snapshot_download(repository: str, **options: Any) -> str:
        calls.append((repository, options))
        return str(folder)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    return calls


def hub_error(kind: type[Exception]) -> Exception:
    """An error of the hub without the HTTP response that its constructor requires."""
    return kind.__new__(kind)


@pytest.mark.parametrize(
    ("name", "repository", "revision"),
    [
        ("microsoft/renderformer-v1-base", "microsoft/renderformer-v1-base", None),
        ("microsoft/renderformer-v1.1-swin-large", "microsoft/renderformer-v1.1-swin-large", None),
        ("someone/model@main", "someone/model", "main"),
        ("someone/model-v1.1@v2.0", "someone/model-v1.1", "v2.0"),
        ("someone/model@refs/pr/3", "someone/model", "refs/pr/3"),
    ],
)
def test_id_and_revision_are_passed_to_the_hub(
    downloads: list[tuple[str, dict[str, Any]]], name: str, repository: str, revision: str | None
) -> None:
    model = rfcli.load_model(name, device="cpu")
    expected = small_model().state_dict()
    assert all(torch.equal(value, expected[key]) for key, value in model.state_dict().items())
    assert [(call[0], call[1]["revision"]) for call in downloads] == [(repository, revision)]
    files = ["config.json", "config.yaml", "model.safetensors", *SHARDS]
    mappers = ["*_mapper/config.json", "*_mapper/model.safetensors"]
    folder = [f"transformer_512/{file}" for file in files]
    assert downloads[0][1]["allow_patterns"] == [*files, *folder, *mappers]  # no pickle


def test_subfolder_of_an_id_is_requested(folder: Path, downloads: list[tuple[str, dict[str, Any]]]) -> None:
    folder.rename(folder.parent / "moved")
    folder.mkdir()
    (folder.parent / "moved").rename(folder / "transformer_2048")
    assert locate("someone/model:transformer_2048@v1") == folder / "transformer_2048"
    assert (downloads[0][0], downloads[0][1]["revision"]) == ("someone/model", "v1")
    assert "transformer_2048/model.safetensors" in downloads[0][1]["allow_patterns"]
    assert not any("transformer_512" in pattern for pattern in downloads[0][1]["allow_patterns"])


def test_weights_file_may_have_any_name_next_to_its_config(
    folder: Path, downloads: list[tuple[str, dict[str, Any]]]
) -> None:
    (folder / "model.safetensors").rename(folder / "best-of.3.safetensors")
    model = rfcli.load_model(str(folder / "best-of.3.safetensors"), device="cpu")
    assert torch.equal(model.tri_token, small_model().tri_token)
    with pytest.raises(InputError, match=r"model\.safetensors is missing"):
        rfcli.load_model(str(folder), device="cpu")
    (folder / "config.json").unlink()
    with pytest.raises(InputError, match=r"config\.json is missing"):
        rfcli.load_model(str(folder / "best-of.3.safetensors"), device="cpu")
    assert not downloads


def test_local_folder_takes_precedence_over_the_hub(
    folder: Path, downloads: list[tuple[str, dict[str, Any]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder.parents[1])
    assert locate(f"{folder.parent.name}/model") == Path(folder.parent.name, "model")
    assert not downloads


@pytest.mark.parametrize("name", ["./someone/model", "/someone", "~/model", "a/b/c", "a/b.safetensors", "a/b.json"])
def test_paths_are_not_requested_from_the_hub(downloads: list[tuple[str, dict[str, Any]]], name: str) -> None:
    with pytest.raises(InputError, match="No model"):
        locate(name)
    assert not downloads


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (LocalEntryNotFoundError("offline"), r"Could not fetch 'some/one@v2'.*nor is it in the local cache.*folder"),
        (ConnectionError("no route"), r"Could not fetch 'some/one@v2'.*go online once"),
        (hub_error(RevisionNotFoundError), "'some/one' has no revision 'v2'"),
        (hub_error(GatedRepoError), "'some/one' requires consent"),
        (hub_error(RepositoryNotFoundError), "'some/one@v2' is neither a folder here nor a public"),
    ],
)
def test_errors_of_the_hub_are_reported_in_one_sentence(
    monkeypatch: pytest.MonkeyPatch, error: Exception, message: str
) -> None:
    def snapshot_download(repository: str, **options: Any) -> str:
        raise error

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    with pytest.raises(InputError, match=message) as caught:
        rfcli.load_model("some/one@v2", device="cpu")
    assert "\n" not in str(caught.value)


def test_cached_model_loads_without_network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, folder: Path) -> None:
    """The cache has the layout of huggingface_hub."""
    commit = "0" * 40
    cached = tmp_path / "hub" / "models--someone--model"
    (cached / "refs").mkdir(parents=True)
    (cached / "refs" / "main").write_text(commit)
    (cached / "snapshots").mkdir()
    folder.rename(cached / "snapshots" / commit)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    assert rfcli.load_model("someone/model", device="cpu").config == small_model().config
    assert rfcli.load_model("someone/model@main", device="cpu").config == small_model().config
    with pytest.raises(InputError, match="Could not fetch 'someone/model@v9'"):
        rfcli.load_model("someone/model@v9", device="cpu")


def test_user_without_home_folder_is_told_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    def snapshot_download(repository: str, **options: Any) -> str:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    with pytest.raises(InputError, match="no home folder; set the environment variable HF_HOME"):
        locate("some/one")


class Bar:
    """Records what a download shows."""

    def __init__(self) -> None:
        self.shown: list[tuple[float, float | None]] = []

    def show(self, done: float, total: float | None, note: str) -> None:
        self.shown.append((done, total))


def test_download_reports_its_megabytes_and_draws_nothing(
    monkeypatch: pytest.MonkeyPatch, folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    def snapshot_download(repository: str, tqdm_class: Any, **options: Any) -> str:
        files = tqdm_class(desc="Fetching 2 files", total=2)
        size = tqdm_class(desc="Downloading", unit="B", unit_scale=True, total=0, mininterval=0)
        size.total = 30_000_000
        for _ in range(3):
            size.update(10_000_000)
        files.update(2)
        files.close()
        size.close()
        return str(folder)

    bar, opened = Bar(), []

    @contextmanager
    def open_bar(description: str, unit: str) -> Iterator[Bar]:
        opened.append((description, unit))
        yield bar

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    token = progress_bar.set(open_bar)
    try:
        assert locate("some/one@v2") == folder
    finally:
        progress_bar.reset(token)
    assert opened == [("download some/one@v2", "MB")]
    assert bar.shown[-1] == (30, 30)
    assert sorted(bar.shown) == bar.shown
    assert capfd.readouterr() == ("", "")
