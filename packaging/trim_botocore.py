"""Delete the service models of botocore that amicopy does not use from a folder of installed packages.

python packaging/trim_botocore.py build/lambda
"""

import shutil
import sys
from pathlib import Path


def trim(packages: Path) -> None:
    """Delete the other services' models, and the byte code, of which there is one for each Python."""
    sys.path.insert(0, str(packages))
    from amicopy.aws.startup.handlers import FUNCTION_SERVICES, SERVICES

    data = packages / "botocore" / "data"
    for service in data.iterdir():
        if service.is_dir() and service.name not in SERVICES | FUNCTION_SERVICES:
            shutil.rmtree(service)
    for examples in data.rglob("examples-*"):
        examples.unlink()
    for cache in packages.rglob("__pycache__"):
        shutil.rmtree(cache)
    if (packages / "bin").is_dir() and not (packages / "bin" / "python3").exists():  # of `pip install --target`
        shutil.rmtree(packages / "bin")


if __name__ == "__main__":
    trim(Path(sys.argv[1]))
