"""The tests shown in "Test your release script" pass as they stand."""

import os
import re
import sys
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/howto/test-your-release-script.md").read_text()
FILES = dict(re.findall(r"^```\w+\n# (\S+)\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE))
TESTS = {"test_with_moto.py": 1, "test_with_server.py": 1, "test_with_fixture.py": 4}


def test_every_file_shown_is_run() -> None:
    assert FILES.keys() == {"release.py", "release.sh", *TESTS}


@pytest.mark.parametrize("name", TESTS)
def test_the_tests_shown_pass(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    for each in ("release.py", "release.sh", name):
        (pytester.path / each).write_text(FILES[each])
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)
    monkeypatch.setenv("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")
    result = pytester.runpytest_subprocess("-p", "amicopy.sandbox.pytest_plugin", timeout=120)
    result.assert_outcomes(passed=TESTS[name])
