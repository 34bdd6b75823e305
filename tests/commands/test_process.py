"""The command as a process of its own: how it leaves."""

import subprocess
import sys

AT_EXIT = "import atexit, gc, sys; atexit.register(lambda: print(gc.get_freeze_count() > 1000, file=sys.stderr));"
RUN = "from amicopy.cli import run; sys.argv[1:] = {argv!r}; run()"


def test_it_leaves_with_its_code_all_said_and_nothing_to_collect() -> None:
    for argv, code, said in ((["--version"], 0, "amicopy"), (["copy"], 2, "")):
        program = AT_EXIT + RUN.format(argv=argv)
        ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
        assert (ran.returncode, ran.stdout[: len("amicopy")]) == (code, said)
        assert ran.stderr.splitlines()[-1] == "True"
