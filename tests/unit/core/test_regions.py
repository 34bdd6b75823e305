"""What people write after --to, and which regions that is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amicopy.core.errors import UsageError
from amicopy.core.regions import check_regions, choose_regions, expand, is_pattern, split_names
from amicopy.core.request import OPTIONS

KNOWN = ("af-south-1", "eu-central-1", "eu-west-1", "eu-west-2", "us-east-1", "us-west-2")
ENABLED = tuple(name for name in KNOWN if name != "af-south-1")
HOME = "us-east-1"


def chosen(*wanted: str, exclude: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Return the destinations of a source in us-east-1."""
    return choose_regions(wanted, exclude=exclude, source=HOME, known=KNOWN, enabled=ENABLED, spelling=OPTIONS)


def test_lists_are_split_and_each_name_counts_once() -> None:
    assert split_names(["us-west-2, eu-west-1", "eu-west-1,,", " "]) == ("us-west-2", "eu-west-1")


@pytest.mark.parametrize("name", ["all", "eu-*", "eu-west-?", "eu-west-[12]"])
def test_all_and_globs_are_patterns(name: str) -> None:
    assert is_pattern(name)


def test_a_plain_name_is_no_pattern_and_stands_for_itself() -> None:
    assert not is_pattern("eu-west-1")
    assert expand("eu-west-1", ()) == ["eu-west-1"]


def test_patterns_stand_for_what_they_match_in_order_of_name() -> None:
    assert expand("eu-west-*", tuple(reversed(KNOWN))) == ["eu-west-1", "eu-west-2"]
    assert expand("all", KNOWN[::-1]) == list(KNOWN)


def test_destinations_come_in_the_order_asked_each_once() -> None:
    assert chosen("us-west-2", "eu-*", "eu-west-1") == ("us-west-2", "eu-central-1", "eu-west-1", "eu-west-2")


def test_all_is_every_enabled_region_but_the_sources() -> None:
    assert chosen("all") == ("eu-central-1", "eu-west-1", "eu-west-2", "us-west-2")


def test_a_region_that_is_not_enabled_stays_when_it_is_named() -> None:
    assert chosen("af-south-1") == ("af-south-1",)


@pytest.mark.parametrize("excluded", ["eu-west-1", "eu-*", "af-*"])
def test_exclusion_takes_names_and_patterns(excluded: str) -> None:
    kept = chosen("af-south-1", "eu-west-1", "us-west-2", exclude=(excluded,))
    assert kept == tuple(
        name for name in ("af-south-1", "eu-west-1", "us-west-2") if name not in expand(excluded, KNOWN)
    )


def test_the_sources_own_region_is_refused_when_named() -> None:
    with pytest.raises(UsageError, match="--to includes us-east-1, the source region"):
        chosen("us-west-2", HOME)


@pytest.mark.parametrize("wanted", ["eu-west-1", "us-east-*"])
def test_nothing_left_is_refused(wanted: str) -> None:
    with pytest.raises(UsageError, match="No destination is left"):
        chosen(wanted, exclude=("eu-*",))


def test_a_misspelt_region_is_refused_with_its_neighbours() -> None:
    with pytest.raises(UsageError, match="unknown region 'eu-wset-1'") as caught:
        check_regions(["us-west-2", "eu-wset-1"], KNOWN, "--to")
    assert "eu-west-1" in caught.value.why


def test_a_name_near_to_nothing_is_refused_with_all_regions() -> None:
    with pytest.raises(UsageError) as caught:
        check_regions(["moon"], KNOWN, "--exclude")
    assert caught.value.what.startswith("--exclude: ")
    assert all(name in caught.value.why for name in KNOWN)


def test_a_pattern_that_matches_nothing_is_refused() -> None:
    with pytest.raises(UsageError, match=r"no region matches 'ue-\*'"):
        check_regions(["ue-*"], KNOWN, "--to")


def test_known_names_and_patterns_pass() -> None:
    check_regions(["all", "eu-*", "us-west-2"], KNOWN, "--to")


@given(
    st.lists(st.sampled_from([*KNOWN, "all", "eu-*", "*-west-?"]).filter(lambda name: name != HOME), min_size=1),
    st.lists(st.sampled_from([*KNOWN, "us-*"])),
)
def test_destinations_are_never_doubled_excluded_or_the_sources(wanted: list[str], exclude: list[str]) -> None:
    try:
        regions = chosen(*wanted, exclude=tuple(exclude))
    except UsageError:
        return
    left_out = {region for name in exclude for region in expand(name, KNOWN)}
    assert len(set(regions)) == len(regions)
    assert not {HOME, *left_out} & set(regions)
