"""The rules, as data: what a line has to look like, how much that matters, and what to use instead."""

import re
from collections.abc import Sequence

from amicopy.scan.indirect_rules import global_services, indirect
from amicopy.scan.regions import ANY_REGION, constants, short_code
from amicopy.scan.result import ScanOptions, Severity
from amicopy.scan.rule import Rule

GROUPS = ("region", "account", "secrets", "left")
DEFAULT_GROUPS = ("region", "account", "secrets")

_METADATA = "read the region from instance metadata (placement/region) or set AWS_REGION in user data"
_PARAMETER = "look it up at start: a parameter of the same name in each region's SSM Parameter Store"
_ROTATE = "remove it from the image and revoke it; give instances a role instead"

# Hosts of AWS services and of what they run.
_DOMAINS = (
    r"(?:amazonaws\.com(?:\.cn)?|api\.aws|on\.aws|aws\.dev|amazoncognito\.com|elasticbeanstalk\.com"
    r"|awsapprunner\.com|awsapps\.com|sagemaker\.aws|amazonlightsail\.com|c2s\.ic\.gov|sc2s\.sgov\.gov)"
)
_HOST = r"(?:[A-Za-z0-9_*-][A-Za-z0-9_*-]{0,62}\.){0,8}?"
_IDS = (
    r"ami|aki|ari|snap|vol|i|eni|sg|sgr|subnet|vpc|vpce|vpce-svc|igw|eigw|nat|vgw|cgw|vpn|tgw|tgw-attach|tgw-rtb|rtb|rtbassoc"
    r"|acl|pl|pcx|eipalloc|eipassoc|dopt|lt|lgw|cr|r|h|ipam|ipam-pool|fl|rslvr-in|rslvr-out|mt|lc"
)
_HEX = r"(?:[0-9a-f]{17}|[0-9a-f]{8})"
_SETTING_SIGNS = r"[\s:=(,>?\-\"'`\[\]{$|*]"


def rules_for(options: ScanOptions) -> tuple[Rule, ...]:
    """Return the rules of the chosen groups, written for the region and the account, in order of precedence."""
    groups = options.rules or DEFAULT_GROUPS
    rules = [*_secrets(), *_region(options.region)]
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
                rf"(?:(?<![\w.-])|(?<=[}}>)]\.)){_HOST}[\w*-]*(?<![A-Za-z0-9]){region}(?![A-Za-z0-9])[\w-]*(?:\.[\w-]+){{0,6}}?\.{_DOMAINS}(?![\w-])"
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
        ),
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
            re.compile(
                rf"(?:(?<![\w.-])(?i:[\w.-]{{0,100}}?region(?:[_.-]?(?:name|id|code|static|override|default|endpoint))?)[\w-]*(?:\.of)?{_SETTING_SIGNS}{{1,12}}"
                rf"(?:(?i:value|default|string|of|name|to|is){_SETTING_SIGNS}{{1,12}}){{0,2}})(?:new\s+)?(?:[\w.]{{1,40}}\([\"']?)?{token}(?:[\"'`]\)?)?"
                rf"|(?i:<[\w:.-]*region[\w:.-]*>)\s*{token}(?:\s*</[\w:.-]+>)?|(?<!\w)-r(?:\s+|=){token}"
            ),
            here,
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
            re.compile(rf"(?<!\w)[\w./:@-]{{0,60}}(?<![A-Za-z0-9]){region}(?![A-Za-z0-9])[\w./:-]{{0,60}}"),
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


def _account(account: str) -> Rule:
    return Rule(
        "account-id",
        "account",
        Severity.MEDIUM,
        f"the account {account}, which the image leaves",
        "read the account from the instance's identity document, or share what it names with the other account",
        re.compile(
            rf"(?:arn:aws[a-z-]*:[a-z0-9-]*:[a-z0-9-]*:)?(?<![0-9]){account}(?![0-9])(?:\.dkr\.ecr[\w.-]*|:[\w:/.*+=@-]*)?"
        ),
        (account,),
        in_lists=True,
    )


def _secrets() -> Sequence[Rule]:
    return (
        Rule(
            "secret-aws-key",
            "secrets",
            Severity.CRITICAL,
            "an AWS access key",
            _ROTATE,
            re.compile(r"(?<![A-Za-z0-9/+])((?:AKIA|ASIA)[A-Z2-7]{16})(?![A-Za-z0-9/+])"),
            ("AKIA", "ASIA"),
            secret=1,
            in_lists=True,
            in_comments=True,
        ),
        Rule(
            "secret-aws-secret",
            "secrets",
            Severity.CRITICAL,
            "an AWS secret access key",
            _ROTATE,
            re.compile(
                r"(?i:aws[_.-]?(?:secret|session)[\w.-]{0,20}|secret[_.-]?access[_.-]?key|secretkey)[\"']?\s{0,5}[:=>,]{0,2}\s{0,5}[\"']?"
                r"(?<![A-Za-z0-9/+])([A-Za-z0-9/+]{40})(?![A-Za-z0-9/+=])"
            ),
            ("secret", "SECRET", "Secret"),
            secret=1,
            in_lists=True,
            in_comments=True,
        ),
        Rule(
            "secret-private-key",
            "secrets",
            Severity.CRITICAL,
            "a private key",
            "remove it from the image and make a new one; fetch it at start from Secrets Manager",
            re.compile(r"-----BEGIN (?:[A-Z0-9]+ ){0,3}PRIVATE KEY(?: BLOCK)?-----"),
            ("PRIVATE KEY",),
            in_lists=True,
            in_comments=True,
        ),
        Rule(
            "secret-token",
            "secrets",
            Severity.CRITICAL,
            "an access token",
            "remove it from the image and revoke it; fetch it at start from Secrets Manager",
            re.compile(
                r"(?<![A-Za-z0-9_])((?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{40,}|glpat-[\w-]{20,}"
                r"|xox[abeprs]-[A-Za-z0-9-]{20,}|[sr]k_live_[A-Za-z0-9]{20,}|npm_[A-Za-z0-9]{36}|SG\.[\w-]{22}\.[\w-]{43}"
                r"|hvs\.[\w-]{24,}|dckr_pat_[\w-]{20,}))"
            ),
            (
                "ghp_",
                "gho_",
                "ghu_",
                "ghs_",
                "ghr_",
                "github_pat_",
                "glpat-",
                "xox",
                "k_live_",
                "npm_",
                "SG.",
                "hvs.",
                "dckr_pat_",
            ),
            secret=1,
            in_lists=True,
            in_comments=True,
        ),
        Rule(
            "secret-password",
            "secrets",
            Severity.HIGH,
            "a password in a URL",
            "remove it from the image and change it; fetch it at start from Secrets Manager",
            re.compile(
                r"(?<![A-Za-z0-9])[a-z][a-z0-9+]{1,15}://[^\s:/@\"'<>{}$]{0,64}:([^\s/@\"'<>{}$*]{3,128})@(?=[A-Za-z0-9\[])"
            ),
            ("://",),
            secret=1,
            in_lists=True,
            accepts=_is_a_password,
        ),
    )


def _is_an_id(match: re.Match[str]) -> bool:
    """Return whether the digits look drawn by AWS, not written as an example."""
    digits = match[1]
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


def _is_a_password(match: re.Match[str]) -> bool:
    word = match[1].lower()
    examples = (
        "password",
        "passwd",
        "pass",
        "pwd",
        "secret",
        "changeme",
        "example",
        "xxx",
        "user",
        "port",
        "foo",
        "bar",
    )
    return not word.isdigit() and word not in examples and not set(word) <= {"x", "*", "."} and "%(" not in word
