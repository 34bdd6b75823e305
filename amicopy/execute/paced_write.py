"""One writing call, as soon as EC2's rate allows it, repeated while EC2 does not know yet what it is for."""

from functools import partial

from amicopy.aws.ec2 import Ec2
from amicopy.core.clock import Clock
from amicopy.core.retries import flapping, persist
from amicopy.core.steps import Sleep, Work
from amicopy.core.write import Write


def paced_write(ec2: Ec2, clock: Clock, write: Write) -> Work[None]:
    """Make the call. Raises what `Ec2.write` raises."""
    if seconds := ec2.seconds_until(write):
        yield Sleep(seconds)
    yield from persist(flapping(clock), partial(ec2.write, write))
