"""The rates at which amicopy calls EC2 stay below those that EC2 documents, and that the sandbox has."""

import pytest

from amicopy.core.rate_limit import RATES
from amicopy.sandbox.throttle import bucket_of


@pytest.mark.parametrize("operation", RATES)
def test_a_rate_is_four_fifths_of_what_ec2_documents(operation: str) -> None:
    documented, ours = bucket_of(operation, {}), RATES[operation]
    assert ours.burst == documented.size * 4 // 5
    assert ours.per_second == pytest.approx(documented.per_second * 0.8)
