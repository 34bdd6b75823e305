"""The command as a process of its own: how it leaves."""

import os
import subprocess
import sys
from pathlib import Path

from amicopy.sandbox.behavior import Timing
from amicopy.sandbox.world import World
from tests.support.scenes import WEST, a_source, the_copy

AT_EXIT = "import atexit, gc, sys; atexit.register(lambda: print(gc.get_freeze_count() > 1000, file=sys.stderr));"
RUN = "from amicopy.cli import run; sys.argv[1:] = {argv!r}; run()"


def test_it_leaves_with_its_code_all_said_and_nothing_to_collect() -> None:
    for argv, code, said in ((["--version"], 0, "amicopy"), (["copy"], 2, "")):
        program = AT_EXIT + RUN.format(argv=argv)
        ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
        assert (ran.returncode, ran.stdout[: len("amicopy")]) == (code, said)
        assert ran.stderr.splitlines()[-1] == "True"


# What Python has on POSIX systems alone.
MISSING = {
    "os": ["geteuid", "getuid", "fchmod", "O_CLOEXEC", "O_NOFOLLOW", "O_NONBLOCK"],
    "signal": ["SIGHUP"],
}
AS_ON_WINDOWS = "import os, signal, sys\n" + "".join(
    f"del {module}.{name}\n" for module, names in MISSING.items() for name in names
)


def test_it_starts_and_copies_without_what_windows_lacks(world: World, tmp_path: Path) -> None:
    source = a_source(world)
    world.state.timing = Timing(copy_seconds=0.0, seconds_per_gib=0.0)
    document = tmp_path / "result.json"
    argv = ["copy", source.image_id, "--to", WEST, "--no-wait", "--write", f"json={document}"]
    program = AS_ON_WINDOWS + RUN.format(argv=argv)
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    for _ in ("a new file", "one that is there"):
        ran = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=False, env=environment
        )
        assert ran.returncode == 0, ran.stderr
        assert the_copy(world, WEST).image_id in document.read_text()
