"""A boot test: its options and its result."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import NoReturn

from amicopy.core.accounts import check_account
from amicopy.core.destination import Destination
from amicopy.core.errors import UsageError
from amicopy.core.regions import is_pattern

BOOT_TIMEOUT = timedelta(minutes=15)
BOOT_TAG = "amicopy:boot"  # on an instance: the AMI that it tests
BOOT_TOKEN_TAG = "amicopy:boot-token"  # noqa: S105 - of a launch with the same options: it is joined, not repeated
BOOT_TIMEOUT_TAG = "amicopy:boot-timeout"  # in seconds: how long after its launch somebody waits for it
BOOT_RESULT_TAG = "amicopy:boot-result"  # how it ended, written before it is terminated, for others who wait for it
CONSOLE_LINES = 20
_CONSOLE_LETTERS = 300
_INSTANCE_TYPE = re.compile(r"[a-z0-9][a-z0-9-]*\.[a-z0-9-]+")
_SUBNET = re.compile(r"subnet-(?:[0-9a-f]{8}|[0-9a-f]{17})")


@dataclass(frozen=True, slots=True, kw_only=True)
class BootOptions:
    """How copies are tested."""

    instance_type: str = ""  # empty: by architecture and by what the image allows
    subnets: tuple[tuple[str, str], ...] = ()
    """Where (``ACCOUNT/REGION``, a region in any account, or empty: anywhere) and the subnet; none: the default VPC."""
    expect: str = ""  # a regular expression for the console output; empty: both status checks
    timeout: timedelta = BOOT_TIMEOUT

    def subnet_in(self, destination: Destination) -> str:
        """Return the subnet for one destination; empty: the default VPC's."""
        named = dict(self.subnets)
        return next((named[name] for name in (str(destination), destination.region, "") if name in named), "")

    def for_destination(self, destination: Destination) -> "BootOptions":
        """Return the same options with no other subnet than the destination's."""
        subnet = self.subnet_in(destination)
        return replace(self, subnets=(("", subnet),) if subnet else ())


@dataclass(frozen=True, slots=True, kw_only=True)
class BootResult:
    """The result of testing one image."""

    passed: bool
    ending: str  # in words: passed both status checks
    instance_id: str = ""
    instance_type: str = ""
    seconds: float = 0.0
    console: tuple[str, ...] = ()  # the last lines; untrusted text
    is_left: bool = False  # the instance may still run
    interrupted: bool = False  # the test did not end


def boot_problem(options: BootOptions) -> str:
    """Return why these options are invalid; empty if they are valid."""
    if options.instance_type and not _INSTANCE_TYPE.fullmatch(options.instance_type):
        return f"{options.instance_type!r} is not an instance type (expected for example t3.micro)"
    for where, subnet in options.subnets:
        account, sign, region = where.rpartition("/")
        if is_pattern(region):
            return f"{region!r} is not the name of a region: a subnet is in one region"
        try:
            if sign:
                check_account(account)
        except ValueError as error:
            return str(error)
        if not _SUBNET.fullmatch(subnet):
            return f"{subnet!r} is not a subnet id (expected subnet- and 8 or 17 hex digits)"
    if options.expect:
        try:
            re.compile(options.expect)
        except re.error as error:
            return f"{options.expect!r} is not a regular expression: {error}"
    return "the time limit (timeout) must be at least a minute" if options.timeout < timedelta(minutes=1) else ""


def check_subnet_places(options: BootOptions, destinations: Iterable[Destination], option: str) -> None:
    """Check that each place with its own subnet is tested; ``option`` is the user's spelling.

    Raises:
        UsageError: one is not tested, so its subnet would not be used.
    """
    names = dict.fromkeys(name for one in destinations for name in (one.region, str(one)))
    for where, subnet in options.subnets:
        if where and where not in names:
            raise UsageError(
                f"{option} {where}={subnet}: {where} is not tested.",
                why=f"The regions are: {', '.join(names)}.",
                next_step="Correct the region, add it to the others, or leave that subnet out.",
            )


def boot_options(words: Sequence[str]) -> BootOptions:
    """Return the options of a check that is written ``boot [--instance-type T] [--subnet S] [--expect P]``.

    Raises:
        ValueError: it is written in another way; the message says what is wrong.
    """
    import argparse  # here, because every command loads this module

    class Parser(argparse.ArgumentParser):
        """Raises ValueError instead of ending the process."""

        def error(self, message: str) -> NoReturn:
            raise ValueError(message)

    parser = Parser(prog="boot", add_help=False, allow_abbrev=False)
    parser.add_argument("--instance-type", default="")
    parser.add_argument("--subnet", action="append", default=[])
    parser.add_argument("--expect", default="")
    found = parser.parse_args(list(words)[1:])
    options = BootOptions(
        instance_type=found.instance_type, subnets=tuple(map(subnet_from, found.subnet)), expect=found.expect
    )
    if problem := boot_problem(options):
        raise ValueError(problem)
    return options


def subnet_from(text: str) -> tuple[str, str]:
    """Return where and which, of ``REGION=SUBNET``, ``ACCOUNT/REGION=SUBNET`` or ``SUBNET``."""
    region, sign, subnet = text.partition("=")
    return (region, subnet) if sign else ("", text)


def last_lines(console: str) -> tuple[str, ...]:
    """Return the end of a console's output, a bounded number of bounded lines."""
    lines = [line.strip("\r")[:_CONSOLE_LETTERS] for line in console[-64 * 1024 :].splitlines()]
    return tuple(line for line in lines if line.strip())[-CONSOLE_LINES:]
