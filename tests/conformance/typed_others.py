"""Requests and answers by the types of SDKs that are not among ours: Google's and Mistral's.

python -m pytest tests/conformance/typed_others.py
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


@pytest.mark.parametrize("types", ["google_types.py", "mistral_types.py"])
def test_what_is_written_and_told_is_what_the_sdk_takes(types: str) -> None:
    sys.path.append(str(HERE))
    from workshop import PYTHON, prepare

    prepare()
    paths = os.pathsep.join([str(ROOT), str(ROOT / "proxy")])
    command = [str(PYTHON), str(HERE / types)]
    subprocess.run(command, env={**os.environ, "PYTHONPATH": paths}, check=True)
