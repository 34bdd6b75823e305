"""``python -m amicopy`` is ``amicopy``."""

from amicopy.cli import run

if __name__ == "__main__":
    run()
