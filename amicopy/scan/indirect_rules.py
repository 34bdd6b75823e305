"""Rules for what means a region without its name, and for services that have only one region."""

import re
from collections.abc import Sequence
from functools import lru_cache

from amicopy.scan.regions import short_code
from amicopy.scan.result import Severity
from amicopy.scan.rule import Rule

_FIRST = "us-east-1"  # the region of services that have one endpoint for all, and of names from before regions

# Services that are called in us-east-1 wherever the caller is (AWS General Reference, "Service endpoints and quotas").
_SERVICES = (
    "cloudfront|ce|cur|ecr-public|pricing|budgets|savingsplans|route53|route53domains|iam|organizations|support|health"
    "|shield|freetier|billing"
)
_GLOBAL_CALL = re.compile(
    rf"\baws\s(?:\s*--[\w-]+[\s=]\S+)*\s*(?:{_SERVICES})\s|(?:client|resource)\(\s*(?:service_name\s*=\s*)?[\"'](?:{_SERVICES})[\"']"
    rf"|(?i:cloudfront|lambda@edge|ecr-public|public\.ecr\.aws|AWS/Billing|cost[ _-]?explorer)"
)

# Names from before there were other regions: they lead to us-east-1. The first is no service's name in policies.
_OLD = "ec2|autoscaling|cloudformation|dynamodb|elasticloadbalancing|elasticmapreduce|monitoring|rds|sdb|sns|sqs"

_GEOGRAPHIES = {"us": "us", "eu": "eu", "ap": "(?:apac|jp|au)", "ca": "(?:ca|us)"}
_MODELS = (
    "anthropic.claude",
    "amazon.nova",
    "amazon.titan",
    "meta.llama",
    "mistral.",
    "cohere.",
    "deepseek.",
    "writer.palmyra",
    "stability.",
    "twelvelabs.",
)


def global_services(region: str) -> Sequence[Rule]:
    """Return the rule for what has to name us-east-1 in every region; it goes before the others."""
    if region != _FIRST:
        return ()
    advice = "nothing: it is called there from every region"
    what = "a global service, whose only region is us-east-1"
    host = rf"(?<![\w.-])(?:api\.)?(?:{_SERVICES})\.{_FIRST}\.(?:amazonaws\.com|api\.aws)(?![\w.-])"
    arn = rf"arn:aws:(?:wafv2:{_FIRST}:\d*:global/|ce:|cur:{_FIRST}:|route53domains:)[\w:/.*+=@-]*"
    setting = (
        rf"(?:(?<![\w.-])[\w.-]{{0,40}}(?i:region)[\w-]{{0,40}}[\s:=(\"']{{1,6}})?(?<![\w.:/-]){_FIRST}(?![\w.:/-])"
    )
    certificate = rf"arn:aws:(?:acm|lambda):{_FIRST}:\d*:[\w:/.*+=@-]*"
    return (
        Rule(
            "global-service",
            "region",
            Severity.INFO,
            what,
            advice,
            re.compile(f"{host}|{arn}"),
            (_FIRST,),
            in_lists=True,
        ),
        Rule(
            "global-service",
            "region",
            Severity.INFO,
            what,
            advice,
            re.compile(f"{certificate}|{setting}"),
            (_FIRST,),
            accepts=lambda match: _has_global_call(match.string),
        ),
    )


def indirect(region: str) -> Sequence[Rule]:
    """Return the rules for what means this region, or a network in it, and does not say so."""
    code = short_code(region)
    codes = (code, code.upper())
    token = rf"(?<![A-Za-z0-9])(?:{code}|{code.upper()})[a-f]?(?![A-Za-z0-9])"
    own_names = "use a name that is the same in every region, in a private hosted zone of each region's VPC"
    return (
        *_old_endpoints(region),
        Rule(
            "host-code",
            "region",
            Severity.MEDIUM,
            f"a host that is named after {region}",
            own_names,
            re.compile(
                rf"(?<![\w.-])[\w.-]{{0,60}}{token}[\w-]{{0,40}}(?:\.[\w-]{{1,60}}){{0,6}}\.[A-Za-z]{{2,20}}(?![\w-])"
            ),
            codes,
        ),
        Rule(
            "short-code",
            "region",
            Severity.LOW,
            f"a name with the short code of {region}",
            "check whether it means something in that region only",
            re.compile(rf"(?<![\w.-])[\w.-]{{0,60}}{token}[\w.-]{{0,60}}"),
            codes,
        ),
        Rule(
            "resolver",
            "region",
            Severity.MEDIUM,
            "the resolver of a VPC, whose address is another one in another VPC",
            "use 169.254.169.253, which is the resolver in every VPC",
            re.compile(
                r"(?:(?<![\w-])(?:name_?servers?|resolvers?|forwarders?|forward-addr|dns(?:[_-]?servers?)?|DNS)[\"']?[\s:=\[{(\"',]{1,8}"
                r"|(?<![\w-])server=(?:/[^/\s]{0,200}/)?)"
                r"(?:10(?:\.\d{1,3}){2}|172\.(?:1[6-9]|2\d|3[01])\.\d{1,3}|192\.168\.\d{1,3})\.2(?![\d.])"
            ),
            ("name_server", "nameserver", "resolver", "forward", "dns", "DNS", "server="),
        ),
        *_profiles(region),
    )


@lru_cache(maxsize=1)  # every match of a line asks
def _has_global_call(text: str) -> bool:
    return _GLOBAL_CALL.search(text) is not None


def _old_endpoints(region: str) -> Sequence[Rule]:
    if region != _FIRST:
        return ()
    return (
        Rule(
            "endpoint-old",
            "region",
            Severity.HIGH,
            f"an endpoint from before there were regions, which leads to {_FIRST}",
            "use the name that the SDK resolves for the instance's region",
            re.compile(
                rf"(?<![\w.-])(?:queue|s3-external-1)\.amazonaws\.com(?![\w.-])|(?<=://)(?:{_OLD})\.amazonaws\.com(?![\w.-])"
            ),
            ("amazonaws.com",),
            in_lists=True,
        ),
    )


def _profiles(region: str) -> Sequence[Rule]:
    geography = _GEOGRAPHIES.get(region.split("-")[0]) if "-gov-" not in region else "us-gov"
    if geography is None:
        return ()
    return (
        Rule(
            "model-profile",
            "region",
            Severity.MEDIUM,
            "an inference profile of Bedrock, which exists in some regions only",
            "choose the profile by the instance's region",
            re.compile(rf"(?<![\w.-]){geography}\.(?:{'|'.join(map(re.escape, _MODELS))})[\w.:-]{{1,80}}"),
            _MODELS,
        ),
    )
