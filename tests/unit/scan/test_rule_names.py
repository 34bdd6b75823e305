"""The rules that an entry of an ignore file may name."""

from amicopy.core.ignored_findings import RULES
from amicopy.scan.left import left_behind
from amicopy.scan.result import ScanOptions
from amicopy.scan.rules import GROUPS, rules_for


def test_the_rules_that_may_be_ignored_are_those_that_there_are() -> None:
    options = [
        ScanOptions(region=region, account="123456789012", to_other_account=True, rules=GROUPS)
        for region in ("us-east-1", "eu-west-1")
    ]
    names = {rule.name for one in options for rule in rules_for(one)}
    paths = ("/root/.ssh/authorized_keys", "/etc/ssh/ssh_host_rsa_key", "/root/.ssh/id_rsa", "/root/.bash_history")
    left = map(left_behind, (*paths, "/root/.netrc", "/var/lib/cloud/instance/user-data.txt"))
    assert names | {finding.rule for finding in left if finding} | {"boot-fstab"} == RULES
