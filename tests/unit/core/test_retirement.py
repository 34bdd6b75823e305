"""The record of what `retire` takes: it comes back from tags as it went into them, however much it is."""

import re
import string
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amicopy.core.models import OWN_TAGS, RETIRED_TAG, Principal, PrincipalKind
from amicopy.core.retirement import Retirement, moment_of, record_in, record_tags

AT = datetime(2026, 11, 29, 16, 30, tzinfo=UTC)
accounts = st.integers(0, 10**12 - 1).map(lambda number: Principal(PrincipalKind.ACCOUNT, f"{number:012}"))
organizations = st.text("abcdefghij0123456789", min_size=10, max_size=32).map(
    lambda name: Principal.parse(f"arn:aws:organizations::111122223333:organization/o-{name}")
)
principals = st.frozensets(st.one_of(accounts, organizations, st.just(Principal.parse("public"))), max_size=40)
moments = st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1)).map(
    lambda moment: moment.replace(microsecond=0, tzinfo=UTC)
)
# Systems Manager's names; one may be a word of the record, too.
paths = st.one_of(
    st.text(string.ascii_letters + string.digits + "_.-/", min_size=1, max_size=300),
    st.sampled_from(["launch", "disabled", "snap-1", "parameter", "public"]),
)
records = st.builds(
    Retirement,
    at=moments,
    launch_permissions=principals,
    volume_permissions=st.dictionaries(
        st.integers(0, 2**68).map(lambda number: f"snap-{number:017x}"), principals.filter(bool), max_size=4
    ),
    deprecate_at=st.none() | moments,
    was_disabled=st.booleans(),
    parameters=st.dictionaries(paths, st.just("ami-0abcdef1234567890"), max_size=4),
)


@given(records)
def test_a_record_comes_back_from_its_tags(record: Retirement) -> None:
    tags = record_tags(record)
    assert record_in({**tags, "Name": "web"}) == record
    assert moment_of(tags) == record.at.strftime("%Y-%m-%dT%H:%M:%SZ")


@given(records)
def test_its_tags_are_ours_and_such_as_every_aws_service_takes(record: Retirement) -> None:
    tags = record_tags(record)
    assert tags.keys() <= OWN_TAGS
    assert all(len(value) <= 256 and re.fullmatch(r"[A-Za-z0-9 +\-=._:/@]+", value) for value in tags.values())


def test_what_fits_can_be_read_by_a_person() -> None:
    record = Retirement(
        at=AT, launch_permissions=frozenset({Principal.parse("111122223333")}), parameters={"/web": "ami-0a1b2c3d"}
    )
    assert record_tags(record) == {RETIRED_TAG: "2026-11-29T16:30:00Z parameter /web ami-0a1b2c3d launch 111122223333"}


def test_a_thousand_accounts_and_their_snapshots_fit_beside_ten_other_tags() -> None:
    """An AMI can be shared with no more (EC2 User Guide, "AMI quotas")."""
    who = frozenset(Principal(PrincipalKind.ACCOUNT, f"{number * 982451653 % 10**12:012}") for number in range(1, 1001))
    record = Retirement(at=AT, launch_permissions=who, volume_permissions={"snap-1": who, "snap-2": who, "snap-3": who})
    tags = record_tags(record)
    assert len(tags) <= 40
    assert record_in(tags) == record


@pytest.mark.parametrize("change", [lambda value: value[:-4], lambda _: "not base64!", lambda value: value[::-1]])
def test_a_record_that_somebody_has_changed_is_not_guessed_at(change: object) -> None:
    who = frozenset(Principal(PrincipalKind.ACCOUNT, f"{number:012}") for number in range(1, 100))
    tags = record_tags(Retirement(at=AT, launch_permissions=who))
    with pytest.raises(ValueError, match="missing or was changed"):
        record_in({**tags, f"{RETIRED_TAG}:1": change(tags[f"{RETIRED_TAG}:1"])})  # type: ignore[operator]
    with pytest.raises(ValueError, match="missing or was changed"):
        record_in({key: value for key, value in tags.items() if not key.endswith(":2")})


def test_a_second_record_adds_what_is_new_and_keeps_the_first_word_on_the_rest() -> None:
    first = Retirement(at=AT, launch_permissions=frozenset({Principal.parse("public")}), deprecate_at=AT)
    later = Retirement(
        at=AT.replace(day=30), launch_permissions=frozenset({Principal.parse("111122223333")}), was_disabled=True
    )
    both = first.and_more(later)
    assert (both.at, both.deprecate_at, both.was_disabled) == (AT, AT, False)
    assert {str(one) for one in both.launch_permissions} == {"public", "111122223333"}
