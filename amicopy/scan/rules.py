"""The rules, as data: what a line has to look like, how much that matters, and what to use instead."""

import re
from collections.abc import Iterator, Sequence
from functools import partial

from amicopy.scan.indirect_rules import global_services, indirect
from amicopy.scan.regions import ANY_REGION, constants, short_code
from amicopy.scan.result import ScanOptions, Severity
from amicopy.scan.rule import Kind, Rule
from amicopy.scan.secret_rules import secret_rules

GROUPS = ("region", "account", "secrets", "left")
DEFAULT_GROUPS = ("region", "account", "secrets")

_METADATA = "read the region from instance metadata (placement/region) or set AWS_REGION in user data"
_PARAMETER = "look it up at start: a parameter of the same name in each region's SSM Parameter Store"

# Hosts of AWS services and of what they run.
_DOMAINS = (
    r"(?:amazonaws\.com(?:\.cn)?|api\.aws|on\.aws|aws\.dev|amazoncognito\.com|elasticbeanstalk\.com"
    r"|awsapprunner\.com|awsapps\.com|sagemaker\.aws|amazonlightsail\.com|c2s\.ic\.gov|sc2s\.sgov\.gov)"
)
_HOST = r"(?:[A-Za-z0-9_*-][A-Za-z0-9_*-]{0,62}\.){0,8}?"
_IDS = (
    r"ami|aki|ari|snap|vol|i|eni|sg|sgr|subnet|vpc|vpce|vpce-svc|igw|eigw|nat|vgw|cgw|vpn|tgw|tgw-attach|tgw-rtb|rtb|rtbassoc|mi"
    r"|acl|pl|pcx|eipalloc|eipassoc|dopt|lt|lgw|cr|r|h|ipam|ipam-pool|fl|rslvr-in|rslvr-out|mt|lc"
)
_HEX = r"(?:[0-9a-f]{17}|[0-9a-f]{8})"
_ONLY_LONG = re.compile(
    r"(?:r|h|cr|fl|lc|mt|mi|lgw|ipam|ipam-pool|rslvr-in|rslvr-out|sgr|lt|tgw|tgw-attach|tgw-rtb)-"
)  # never had 8 digits
_SETTING_SIGNS = r"[\s:=(,>?\-\"'`\[\]{$|*]"


def rules_for(options: ScanOptions) -> tuple[Rule, ...]:
    """Return the rules of the chosen groups, written for the region and the account, in order of precedence."""
    groups = options.rules or DEFAULT_GROUPS
    rules = [*secret_rules(), *_region(options.region)]
    if options.account and options.to_other_account:
        rules = [_account(options.account), *rules]
    return tuple(rule for rule in rules if rule.group in groups)


def _region(region: str) -> Sequence[Rule]:
    token = rf"(?<![A-Za-z0-9]){re.escape(region)}(?![A-Za-z0-9])"
    code = short_code(region)
    here = (region,)
    return (
        *global_services(region),
        *_addresses(region),
        Rule(
            "mirror",
            "region",
            Severity.LOW,
            f"a package mirror in {region}",
            "cloud-init usually rewrites it on a new instance; otherwise use the mirror without a region",
            re.compile(
                rf"{region}\.(?:ec2\.(?:archive|ports)\.ubuntu\.com|clouds\.\w+\.\w+)|rhui[\w.-]{{0,60}}\.{region}\.aws\.ce\.redhat\.com"
                rf"|(?:amazonlinux|packages|repo|al20\d\d-repos)[\w.-]{{0,60}}{region}[\w.-]{{0,60}}\.amazonaws\.com"
            ),
            here,
            in_lists=True,
        ),
        Rule(
            "arn",
            "region",
            Severity.HIGH,
            f"an ARN in {region}",
            f"build the ARN from the instance's region, or {_PARAMETER}",
            re.compile(rf"arn:aws[a-z-]*:[a-z0-9-]+:{region}:[0-9A-Za-z*$_{{}}-]*:[\w:/.*+=@${{}}-]*"),
            here,
            in_lists=True,
        ),
        Rule(
            "endpoint",
            "region",
            Severity.HIGH,
            f"an endpoint in {region}",
            f"use the name without a region that the SDK resolves, or {_PARAMETER}",
            re.compile(
                rf"(?:(?<![\w.-])|(?<=[}}>)]\.)|(?<=[\s\"'=]\.)){_HOST}[\w*-]*(?<![A-Za-z0-9]){region}(?![A-Za-z0-9])[\w-]*(?:\.[\w-]+){{0,6}}?\.{_DOMAINS}(?![\w-])"
                rf"|(?<![\w.-]){_HOST}{code}\.cache\.amazonaws\.com(?![\w-])"
            ),
            (region, code),
            in_lists=True,
        ),
        Rule(
            "efs-id",
            "region",
            Severity.HIGH,
            "the id of a file system, which exists in one region only",
            f"mount it from user data, or {_PARAMETER}",
            re.compile(rf"(?<![\w./-])(?:fs|fsap)-({_HEX})(?![\w-])"),
            (),
            accepts=_is_an_id,
            kind=Kind.ID,
        ),
        Rule(
            "resource-id",
            "region",
            Severity.HIGH,
            "the id of a resource, which exists in one region only",
            _PARAMETER,
            re.compile(rf"(?<![\w./-])(?:{_IDS})-({_HEX})(?![\w-])"),
            (),
            accepts=_is_an_id,
            kind=Kind.ID,
            after=re.compile(rf"^(?!\s*[\"']?(?!{region}(?!\d)){ANY_REGION.pattern}[\"']?\s*[:=]>?\s*\{{?\s*$)"),
        ),
        *_ids_of_other_forms(region),
        Rule(
            "az",
            "region",
            Severity.MEDIUM,
            f"a zone of {region}",
            "read the zone from instance metadata (placement/availability-zone)",
            re.compile(
                rf"(?<![A-Za-z0-9]){region}(?:[a-f]|-[a-z]{{3}}-\d[a-z]|-wl1-[a-z]{{3}}-wlz-\d)(?![A-Za-z0-9])|(?<![A-Za-z0-9]){code}-az\d(?!\d)"
            ),
            (region, code),
        ),
        Rule(
            "region-setting",
            "region",
            Severity.HIGH,
            f"the region is set to {region}",
            _METADATA,
            re.compile(rf"{token}(?:[\"'`]\)?|\s*</[\w:.-]{{1,60}}>)?"),
            here,
            kind=Kind.SETTING,
            before=re.compile(
                rf"(?:(?<![\w.-])(?i:[\w.-]{{0,100}}?(?:region|bucket_?location)(?:[_.-]?(?:name|id|code|static|override|default|endpoint))?)[\w-]{{0,60}}(?:\.of)?{_SETTING_SIGNS}{{1,12}}"
                rf"(?:(?i:value|default|string|of|name|to|is){_SETTING_SIGNS}{{1,12}}){{0,2}}(?:new\s+)?(?:[\w.]{{1,40}}\([\"']?)?"
                r"|(?i:<[\w:.-]{0,60}region[\w:.-]{0,60}>)\s*|(?<!\w)-r(?:\s+|=)|(?<![\w.-])(?:s3://(?:[^\s/@]{1,100}@)?|codecommit::))\Z"
            ),
        ),
        Rule(
            "region-setting",
            "region",
            Severity.MEDIUM,
            f"the region is set to {region}, by the line before",
            _METADATA,
            re.compile(rf"^\s*(?:-\s+|[\w.-]{{1,40}}\s*[:=]\s*)?[\"']?{token}[\"']?[\s,\])]*$"),
            here,
            kind=Kind.SETTING,
            after=re.compile(r"(?i:region(?:s|_?name)?)[\"']?\s*[:=,]?>?\s*[\[({]?\s*$"),
        ),
        Rule(
            "sdk-enum",
            "region",
            Severity.MEDIUM,
            f"the region is set to {region} by an SDK's constant",
            _METADATA,
            re.compile(rf"(?<![A-Za-z0-9])(?:{'|'.join(map(re.escape, constants(region)))})(?![A-Za-z0-9])"),
            constants(region),
        ),
        *indirect(region),
        Rule(
            "bare-region",
            "region",
            Severity.LOW,
            f"the name of {region}",
            _METADATA,
            re.compile(rf"(?<![\w.-])[\w.-]{{0,60}}(?<![A-Za-z0-9]){region}(?![A-Za-z0-9])[\w.-]{{0,60}}"),
            here,
        ),
        Rule(
            "endpoint-other",
            "region",
            Severity.INFO,
            "an endpoint in another region",
            "it stays where it is: check that this is meant",
            re.compile(
                rf"(?<![\w.-]){_HOST}[\w*-]*{ANY_REGION.pattern}[\w-]*(?:\.[\w-]+){{0,6}}?\.{_DOMAINS}(?![\w-])"
            ),
            ("amazonaws.com", "api.aws", "on.aws"),
            accepts=lambda match: region not in match[0],
        ),
    )


def _addresses(region: str) -> Sequence[Rule]:
    """Return the rules for names of instances, which are addresses in the old VPC."""
    is_first = region == "us-east-1"
    inside = rf"(?:ec2\.internal|{region}\.compute\.internal)" if is_first else rf"{region}\.compute\.internal"
    outside = r"compute-1\.amazonaws\.com" if is_first else rf"{region}\.compute\.amazonaws\.com"
    return (
        Rule(
            "private-dns",
            "region",
            Severity.MEDIUM,
            f"a private DNS name in {region}",
            "use a name in a private hosted zone that every region's VPC has",
            re.compile(rf"(?<![\w.-])(?:[\w-]+\.){{0,4}}{inside}(?![\w-])"),
            ("compute.internal", "ec2.internal"),
            in_lists=True,
        ),
        Rule(
            "public-dns",
            "region",
            Severity.MEDIUM,
            f"the public DNS name of an instance in {region}",
            "use a name of your own that follows the instance",
            re.compile(rf"(?<![\w.-])ec2-[\d-]+\.{outside}(?![\w-])"),
            ("amazonaws.com",),
            in_lists=True,
        ),
    )


def _ids_of_other_forms(region: str) -> Iterator[Rule]:
    """Yield the rules for ids that are no ``ami-…``: they exist in one region only, like those."""
    uuid = r"([0-9a-f]{8})(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?![\w-])"
    what = "the id of a resource, which exists in one region only"
    forms = (
        # A volume's serial number is its id: /dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_vol…
        (rf"(?<=Elastic_Block_Store_)vol({_HEX})(?![0-9A-Za-z])", ("Elastic_Block_Store_vol",)),
        # Cognito's user pools and identity pools.
        (rf"(?<![\w-]){region}_([0-9A-Za-z]{{9}})(?![\w-])", (f"{region}_",)),
        (rf"(?<![\w-]){region}:{uuid}", (f"{region}:",)),
    )
    rule = partial(Rule, "resource-id", "region", Severity.HIGH, what, _PARAMETER, accepts=_is_an_id, kind=Kind.ID)
    for pattern, literals in forms:
        yield rule(re.compile(pattern), literals)
    # KMS keys; a multi-region key (mrk-…) has the same id everywhere.
    yield rule(
        re.compile(rf"(?<![\w-]){uuid}"),
        ("kms", "KMS", "Kms"),
        before=re.compile(r"(?<![\w.-])(?i:[\w.-]{0,40}kms[\w.-]{0,40})[\"']?\s{0,5}[:=,>]{0,2}\s{0,5}[\"']?\Z"),
    )


def _account(account: str) -> Rule:
    dashed = f"{account[:4]}-{account[4:8]}-{account[8:]}"
    return Rule(
        "account-id",
        "account",
        Severity.MEDIUM,
        f"the account {account}, which the image leaves",
        "read the account from the instance's identity document, or share what it names with the other account",
        re.compile(
            rf"arn:aws[a-z-]*:[a-z0-9-]*:[a-z0-9-]*:{account}:[\w:/.*+=@-]*|(?<![0-9]){account}(?![0-9])(?:\.dkr\.ecr[\w.-]*)?"
            rf"|(?<![0-9-]){dashed}(?![0-9-])"
        ),
        (account, dashed),
        in_lists=True,
    )


def _is_an_id(match: re.Match[str]) -> bool:
    """Return whether the digits look drawn by AWS, not written as an example."""
    digits = match[1]
    if len(digits) == 8 and _ONLY_LONG.match(match[0]):
        return False
    if len(digits) == 8 and (digits.isdigit() or digits.isalpha()):
        return False
    examples = (
        "123456789",
        "0123456",
        "abcdef0",
        "12345678",
        "87654321",
        "deadbeef",
        "1a2b3c4d",
        "1234abcd",
        "abcd1234",
    )
    return len(set(digits)) > 3 and not any(example in digits for example in examples)
