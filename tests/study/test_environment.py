"""Machine and commit in the results of a study."""

import subprocess
from pathlib import Path

from rfcli.study.environment import commit, environment


def git(folder: Path, *words: str) -> str:
    command = ["git", "-C", str(folder), "-c", "user.name=a", "-c", "user.email=a@b", *words]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def test_commit_of_a_checkout_is_marked_if_tracked_files_differ(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet")
    assert commit(tmp_path) is None  # no commit yet
    (tmp_path / "code.py").write_text("1\n")
    git(tmp_path, "add", "code.py")
    git(tmp_path, "commit", "--quiet", "-m", "first")
    head = git(tmp_path, "rev-parse", "HEAD")
    assert commit(tmp_path) == head
    (tmp_path / "results.json").write_text("not code\n")
    assert commit(tmp_path) == head
    (tmp_path / "code.py").write_text("2\n")
    assert commit(tmp_path) == head + "+"


def test_commit_without_a_checkout_is_the_one_pip_recorded(tmp_path: Path) -> None:
    found = commit(tmp_path)
    assert found is None or len(found) == 40


def test_environment_names_the_machine() -> None:
    found = environment("cpu")
    assert found["processor"]
    assert found["threads"] >= 1
    assert found["cuda"] is None
