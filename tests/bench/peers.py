"""What users would pick to copy an AMI to other regions, amicopy among them: how each is run, and whether it is here.

Refuses to install anything: `make bench` does. What is not installed is left out, and the documents say so.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.bench.job import HOME, NAME, TAGS, Job

CLIENTS = Path(__file__).parent / "clients"
PEERS_BIN = Path(__file__).parents[2] / ".venv-bench" / "bin"
OWN_BIN = Path(sys.executable).parent


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """One way to copy."""

    name: str
    program: str
    version: Sequence[str]  # the arguments that make the program say its version
    command: Callable[[str, Job], list[str]]  # of the program's path and the job
    once: bool = False  # measured in one round only: it takes too long, or is a variation
    serial: bool = False  # takes one region after another
    many_processes: bool = False  # one or more for each copy
    variation: bool = False  # of another peer, from which it does not differ with one region
    note: str = ""


def _amicopy(program: str, job: Job) -> list[str]:
    named = ["--name", NAME + "-{source_id}"]
    return [program, "copy", *job.image_ids, "--from", HOME, "--to", ",".join(job.regions), *named]


def _shell(how: str) -> Callable[[str, Job], list[str]]:
    return lambda _program, job: ["sh", str(CLIENTS / "aws_loop.sh"), how, " ".join(job.image_ids), NAME, *job.regions]


def _boto3(script: str) -> Callable[[str, Job], list[str]]:
    return lambda program, job: [program, str(CLIENTS / script), " ".join(job.image_ids), NAME, *job.regions]


def _ansible(playbook: str) -> Callable[[str, Job], list[str]]:
    def command(program: str, job: Job) -> list[str]:
        variables = {
            "images": list(job.image_ids),
            "name_of_copy": NAME,
            "tags_of_source": TAGS,
            "regions": list(job.regions),
            "ansible_python_interpreter": str(Path(program).with_name("python")),
        }
        return [program, "-i", "localhost,", "-e", json.dumps(variables), str(CLIENTS / playbook)]

    return command


def _packer(program: str, job: Job) -> list[str]:
    template = json.loads((CLIENTS / "packer.json").read_text())
    [builder] = template["builders"]
    template["builders"] = [
        {**builder, "name": image_id, "source_ami": image_id, "ami_name": f"{NAME}-{image_id}"}
        for image_id in job.image_ids
    ]
    own = job.folder / "packer.json"
    own.write_text(json.dumps(template))
    given = {"regions": ",".join(job.regions), "endpoint": job.endpoint_url}
    words = [word for name, value in given.items() for word in ("-var", f"{name}={value}")]
    return [program, "build", "-color=false", *words, str(own)]


PEERS = (
    Peer(name="amicopy copy", program="amicopy", version=["--version"], command=_amicopy),
    Peer(
        name="aws, in parallel",
        program="aws",
        version=["--version"],
        command=_shell("parallel"),
        many_processes=True,
        note="a shell loop over `aws ec2 copy-image` and `aws ec2 wait image-available`, all regions at once",
    ),
    Peer(
        name="boto3 script",
        program="python",
        version=["-c", "import boto3; print('boto3', boto3.__version__)"],
        command=_boto3("boto3_script.py"),
        note="starts all copies, then waits for one after another with botocore's waiter",
    ),
    Peer(
        name="boto3 script, complete",
        program="python",
        version=["-c", "import boto3; print('boto3', boto3.__version__)"],
        command=_boto3("boto3_complete.py"),
        once=True,
        note="the same, and writes to each copy the tags, permissions and date that it read of the source; looks for "
        "no copies that are there, and reads nothing back",
    ),
    Peer(
        name="packer",
        program="packer",
        version=["version"],
        command=_packer,
        note="cannot copy an AMI that exists: it makes one from a volume (which takes no time here) and copies that; "
        "shares with accounts, not with organizations",
    ),
    Peer(
        name="Ansible, async",
        program="ansible-playbook",
        version=["--version"],
        command=_ansible("ansible_async.yml"),
        once=True,
        many_processes=True,
        variation=True,
        note="`community.aws.ec2_ami_copy` for all regions at once, by `async` and `async_status`",
    ),
    Peer(
        name="aws, serial",
        program="aws",
        version=["--version"],
        command=_shell("serial"),
        serial=True,
        once=True,
        variation=True,
        note="the same shell loop, one region after another",
    ),
    Peer(
        name="Ansible, loop",
        program="ansible-playbook",
        version=["--version"],
        command=_ansible("ansible_loop.yml"),
        serial=True,
        once=True,
        note="`community.aws.ec2_ami_copy` in a `loop`, one region after another",
    ),
)


def threads_scripts() -> tuple[Peer, ...]:
    """Return the boto3 script that is written for many AMIs, by botocore's retry modes; only `rates` runs it."""

    def command(mode: str) -> Callable[[str, Job], list[str]]:
        script = str(CLIENTS / "boto3_threads.py")
        return lambda program, job: [program, script, mode, " ".join(job.image_ids), NAME, *job.regions]

    return tuple(
        Peer(
            name=f"boto3 script, threads, {mode} retries",
            program="python",
            version=["-c", "import boto3; print('boto3', boto3.__version__)"],
            command=command(mode),
            note="a thread for each region, eight to read, pages, ten attempts for each call",
        )
        for mode in ("standard", "adaptive")
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A peer's program on this machine, or why there is none."""

    path: str = ""
    version: str = ""
    why_not: str = ""


def found(peer: Peer, environment: Mapping[str, str]) -> Found:
    """Return the program that would be run and its version: our own venvs first, then PATH."""
    places = [OWN_BIN] if peer.program == "amicopy" else [PEERS_BIN, OWN_BIN]
    candidates = [place / peer.program for place in places]
    path = next((str(candidate) for candidate in candidates if candidate.exists()), shutil.which(peer.program) or "")
    if not path:
        return Found(why_not=f"{peer.program} is not installed")
    said = subprocess.run(
        [path, *peer.version], env=dict(environment), capture_output=True, text=True, timeout=60, check=False
    )
    if said.returncode:
        return Found(why_not=f"{peer.program} does not run: {said.stderr.strip().splitlines()[-1:]}")
    return Found(path=path, version=said.stdout.splitlines()[0].strip())


def surroundings(folder: Path) -> dict[str, str]:
    """Return the environment that every peer gets: nothing of the person's who runs this, an empty home directory."""
    folder.mkdir(parents=True, exist_ok=True)
    return {
        "PATH": os.pathsep.join([str(PEERS_BIN), str(OWN_BIN), os.environ["PATH"]]),
        "HOME": str(folder),
        "LANG": "C.UTF-8",
        "AWS_PAGER": "",
        "CHECKPOINT_DISABLE": "1",  # packer would ask its makers for a newer version
        "ANSIBLE_ASYNC_DIR": str(folder / ".ansible_async"),  # two of its parts disagree over which home directory
        "ANSIBLE_LOCALHOST_WARNING": "false",
        "ANSIBLE_INVENTORY_UNPARSED_WARNING": "false",
    }
