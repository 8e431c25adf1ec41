"""Names of packages are imported on first use."""

import subprocess
import sys

import pytest

import rfcli.scene


def test_a_name_is_imported_on_first_use() -> None:
    code = (
        "import sys, rfcli.scene; before = 'numpy' in sys.modules; rfcli.scene.TriangleScene; "
        "print(before, 'numpy' in sys.modules, rfcli.scene.TriangleScene.__module__)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True", "rfcli.scene.triangle_scene"]


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match=r"module 'rfcli\.scene' has no attribute 'Nothing'"):
        _ = rfcli.scene.Nothing  # type: ignore[attr-defined]
