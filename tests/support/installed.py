"""What the installed botocore knows: the tests also run with the lowest supported one."""

import botocore.session

from amicopy.aws.startup.ec2_model import NEWER_OPERATIONS, OPERATIONS

_KNOWN = botocore.session.Session().get_service_data("ec2")["operations"].keys()

# An operation that every supported botocore has stays in the list, so that its absence fails a test.
INSTALLED_OPERATIONS = tuple(name for name in OPERATIONS if name in _KNOWN or name not in NEWER_OPERATIONS)
