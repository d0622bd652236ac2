"""Google's requests and answers by the types of the official SDK, which is not among ours.

python -m pytest tests/conformance/typed_google.py
"""

import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


def test_requests_and_answers_are_google_s() -> None:
    sys.path.append(str(HERE))
    from workshop import PYTHON, prepare

    prepare()
    paths = os.pathsep.join([str(ROOT), str(ROOT / "proxy")])
    command = [str(PYTHON), str(HERE / "google_types.py")]
    subprocess.run(command, env={**os.environ, "PYTHONPATH": paths}, check=True)
