"""The rules: each form in which files name a region, and what looks like it and is none."""

import pytest

from amicopy.scan.lines import Matcher, in_utf_8
from amicopy.scan.result import ScanOptions
from amicopy.scan.rules import rules_for
from tests.support.planted import SECRETS

ALL = ("region", "account", "secrets")


def found(text: str | bytes, path: str = "/opt/app.conf", region: str = "us-east-1", account: str = "") -> list[str]:
    """Return the rules that match a file."""
    options = ScanOptions(region=region, account=account, to_other_account=bool(account), rules=ALL)
    data = text if isinstance(text, bytes) else text.encode()
    return [match.rule.name for match in Matcher(rules_for(options)).matches(data, path)]


SETTINGS = """\
region = us-east-1
AWS_DEFAULT_REGION=us-east-1
export AWS_REGION="us-east-1"
set -x AWS_REGION us-east-1
ENV AWS_REGION us-east-1
Environment="AWS_REGION=us-east-1"
setx AWS_REGION us-east-1
$env:AWS_REGION = 'us-east-1'
: "${AWS_REGION:=us-east-1}"
REGION=${AWS_REGION:-us-east-1}
aws s3 ls --region us-east-1
aws --region=us-east-1 ec2 describe-instances
aws configure set region us-east-1
* * * * * root /opt/backup.sh --region us-east-1
  "region": "us-east-1",
    region: us-east-1
awsRegion: 'us-east-1'
s3_region: us-east-1
boto3.client("s3", region_name="us-east-1")
boto3.Session(region_name='us-east-1')
new AWS.S3({ region: 'us-east-1' })
Aws.config.update(region: "us-east-1")
AmazonS3ClientBuilder.standard().withRegion("us-east-1")
Region.of("us-east-1")
cloud.aws.region.static=us-east-1
spring.cloud.aws.region.static: us-east-1
fs.s3a.endpoint.region=us-east-1
<region>us-east-1</region>
<property name="aws.region" value="us-east-1"/>
<add key="AWSRegion" value="us-east-1" />
provider "aws" { region = "us-east-1" }
  region us-east-1
config.region = "us-east-1"
'region' => 'us-east-1',
define('AWS_REGION', 'us-east-1');
os.Setenv("AWS_REGION", "us-east-1")
ec2_region: us-east-1
remote_write_region: us-east-1
  [OUTPUT] region us-east-1
"""


@pytest.mark.parametrize("line", SETTINGS.splitlines())
def test_a_region_setting_is_found_in_every_tools_form(line: str) -> None:
    assert found(line) == ["region-setting"]


ENDPOINTS = """\
https://sqs.us-east-1.amazonaws.com/123456789/queue
prod.c9akciq32.us-east-1.rds.amazonaws.com
my-bucket.s3.us-east-1.amazonaws.com
s3-us-east-1.amazonaws.com
https://us-east-1.queue.amazonaws.com/1/q
https://abc123.execute-api.us-east-1.amazonaws.com/prod
redis.x1y2z3.0001.use1.cache.amazonaws.com:6379
internal-web-1234567890.us-east-1.elb.amazonaws.com
search-logs-abc.us-east-1.es.amazonaws.com
vpce-0a1b2c3d.s3.us-east-1.vpce.amazonaws.com
123412341234.dkr.ecr.us-east-1.amazonaws.com/web:1
https://oidc.eks.us-east-1.amazonaws.com/id/ABC
xyz.lambda-url.us-east-1.on.aws
s3.dualstack.us-east-1.amazonaws.com
https://ec2.us-east-1.api.aws
myapp.auth.us-east-1.amazoncognito.com
app.us-east-1.elasticbeanstalk.com
kms-fips.us-east-1.amazonaws.com
"""


@pytest.mark.parametrize("line", ENDPOINTS.splitlines())
def test_an_endpoint_is_found(line: str) -> None:
    assert found(line)[:1] == ["endpoint"]


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ("arn:aws:sns:us-east-1:111122223344:topic", "arn"),
        ("arn:aws-us-gov:kms:us-east-1:111122223344:key/x", "arn"),
        ("SG=sg-0a1b2c3d4e5f60718", "resource-id"),
        ("subnets: [subnet-0fab12cd34ef56ab7]", "resource-id"),
        ("vpc_id = vpc-1a2b3c4e", "resource-id"),
        ("ami: ami-0b1c2d3e4f5a6b7c8", "resource-id"),
        ("eipalloc-0b1c2d3e4f5a6b7c8", "resource-id"),
        ("mount fs-0a12b34c56d78e90f /mnt", "efs-id"),
        ("What=/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_vol0a9b8c7d6e5f43210", "resource-id"),
        ('kms_key_id = "1c9b7a3e-5d2f-4e86-b0a4-8f6d2c1e3b57"', "resource-id"),
        ("SSEKMSKeyId: 1c9b7a3e-5d2f-4e86-b0a4-8f6d2c1e3b57", "resource-id"),
        ("COGNITO_USER_POOL_ID=us-east-1_aB3dE5fG7", "resource-id"),
        ("pool: us-east-1:7f3c1b52-0d8e-4c6a-9f21-3b5d7e9a1c24", "resource-id"),
        ('"managedInstanceID": "mi-0b6c5d4e3f2a19087"', "resource-id"),
        ("zone us-east-1b", "az"),
        ("us-east-1-bos-1a", "az"),
        ("use1-az4", "az"),
        ("Regions.US_EAST_1", "sdk-enum"),
        ("RegionEndpoint.USEast1", "sdk-enum"),
        ("aws.String(endpoints.UsEast1RegionID)", "sdk-enum"),
        ("acl aws dstdomain .us-east-1.amazonaws.com", "endpoint"),
        ("s3: s3://us-east-1/acme-loki", "region-setting"),
        ("git clone codecommit::us-east-1://site", "region-setting"),
        ('BucketLocation = "us-east-1"', "region-setting"),
        ("search ec2.internal", "private-dns"),
        ("db = ip-10-0-0-12.ec2.internal", "private-dns"),
        ("ec2-54-1-2-3.compute-1.amazonaws.com", "public-dns"),
        ("deb http://us-east-1.ec2.archive.ubuntu.com/ubuntu jammy main", "mirror"),
        ("https://rhui3.us-east-1.aws.ce.redhat.com/x", "mirror"),
        ("welcome to us-east-1!", "bare-region"),
        ("s3://logs-us-east-1/x", "bare-region"),
    ],
)
def test_other_names_are_found(line: str, rule: str) -> None:
    assert found(line) == [rule]


def test_names_of_another_region_have_its_form() -> None:
    assert found("search eu-west-1.compute.internal", region="eu-west-1") == ["private-dns"]
    assert found("x.0001.apse2.cache.amazonaws.com", region="ap-southeast-2") == ["endpoint"]
    assert found("search ec2.internal", region="eu-west-1") == []
    assert found("https://sqs.us-east-1.amazonaws.com/", region="eu-west-1") == ["endpoint-other"]


NEGATIVE = """\
# region = us-east-1
; region = us-east-1
// region: us-east-1
dnl us-east-1
key = value  # for example us-east-1
$host = "db.example.org";//old.us-east-1.rds.amazonaws.com
us-east-10
xus-east-1
regions: [us-east-1, us-west-2, eu-west-1]
ami-12345678
ami-0abcdef1234567890
sg-11111111
i-deadbeef
some-12ab34cd
2023-12ab34cd
us-east-1.example.com
kms_key_id: 1234abcd-12ab-34cd-56ef-1234567890ab
request_id: 1c9b7a3e-5d2f-4e86-b0a4-8f6d2c1e3b57
kms_key_id: mrk-1c9b7a3e5d2f4e86b0a48f6d2c1e3b57
arn:aws:iam::111122223333:role/x
https://s3.amazonaws.com/bucket
arn:aws:s3:::bucket
ami-xxxxxxxx
vpc-id
postgres://user:password@db/x
postgres://app:${PASSWORD}@db/x
redis://localhost:6379
git@github.com:a/b
https://example.com:8443/@x
AKIAIOSFODNN7EXAMPLE
aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY
-----BEGIN CERTIFICATE-----
"""


@pytest.mark.parametrize("line", NEGATIVE.splitlines())
def test_what_is_none_is_not_found(line: str) -> None:
    assert found(line) in ([], ["bare-region"])


def test_a_list_of_regions_over_several_lines_is_none() -> None:
    assert found("- us-east-1\n- us-west-2\n- eu-west-1\n") == []
    assert found("us-east-1: ami-0b1c2d3e4f5a6b7c8\neu-west-1: ami-1b1c2d3e4f5a6b7c8\nsa-east-1: x\n") == []
    assert found("- us-east-1\n- us-west-2\n") == ["bare-region"]


@pytest.mark.parametrize("before", ["- --region", '"regions": [', "region:", "      'region' => ", "aws_region_name ="])
def test_the_line_before_says_that_it_is_a_setting(before: str) -> None:
    assert worst(f'{before}\n  - "us-east-1"\n') == ("region-setting", "MEDIUM")
    assert worst(f"{before}\n  us-east-1,\n") == ("region-setting", "MEDIUM")


@pytest.mark.parametrize("before", ["", "# in every region there is", "regional: yes", "cluster:"])
def test_the_line_before_says_nothing_of_the_kind(before: str) -> None:
    assert worst(f"{before}\n  - us-east-1\n") == ("bare-region", "LOW")


def test_an_id_below_another_regions_name_is_that_regions() -> None:
    assert found("eu-west-1:\n  ami: ami-0b1c2d3e4f5a6b7c8\n") == []
    assert found('"eu-west-1": {\n  "ami": "ami-0b1c2d3e4f5a6b7c8"\n') == []
    assert found("us-east-1:\n  ami: ami-0b1c2d3e4f5a6b7c8\n") == ["bare-region", "resource-id"]
    assert found("# copied to eu-west-1 later\nami: ami-0b1c2d3e4f5a6b7c8\n") == ["resource-id"]


@pytest.mark.parametrize("near", ["endpoint = s3.wasabisys.com", "MINIO_ROOT_USER=acme", "url: http://localhost:4566"])
def test_a_region_of_another_store_is_of_low_severity(near: str) -> None:
    assert worst(f"{near}\nx = 1\nregion = us-east-1\n") == ("region-setting", "LOW")
    far = "x = 1\n" * 9
    assert worst(f"{near}\n{far}region = us-east-1\n") == ("region-setting", "HIGH")


def test_an_arn_counts_in_a_list_of_regions_too() -> None:
    assert found("us-west-2 eu-west-1 arn:aws:sns:us-east-1:1:t\n") == ["arn"]


@pytest.mark.parametrize("number", range(len(SECRETS)))
def test_a_secret_is_found_and_is_not_in_the_excerpt(number: int) -> None:
    text, value = SECRETS[number]
    options = ScanOptions(region="us-east-1", rules=("secrets",))
    matches = Matcher(rules_for(options)).matches(text.encode(), "/opt/x")
    assert len(matches) == 1
    assert matches[0].rule.name.startswith("secret-")
    assert value not in matches[0].excerpt
    assert value[5:] not in matches[0].excerpt


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("/root/.pgpass", "db.internal:5432:app:app:{}"),
        ("/root/.my.cnf", "password = {}"),
        ("/root/.netrc", "machine db login app password {}"),
        ("/home/build/.pypirc", "password: {}".replace(":", " =")),
        ("/root/.docker/config.json", '"auth": "{}"'),
        ("/home/build/.m2/settings.xml", "<password>{}</password>"),
        ("/var/www/wp-config.php", "define( 'DB_PASSWORD', '{}' );"),
        ("/etc/wireguard/wg0.conf", "PrivateKey = {}"),
        ("/etc/cifs-credentials", "password={}"),
        ("/Windows/Panther/unattend.xml", "<Value>{}</Value>"),
    ],
)
def test_a_password_is_found_where_one_belongs(path: str, line: str) -> None:
    value = "yK7mQx2VzT9nWb4RcLp8HsJdFgAe1UuXo3iK6tZw5EQ="
    text = line.format(value)
    [match] = Matcher(rules_for(ScanOptions(region="us-east-1", rules=("secrets",)))).matches(text.encode(), path)
    assert (match.rule.name, value in match.excerpt, value[:4] in match.excerpt) == ("secret-password", False, False)
    assert found(text, "/opt/app/settings.txt") == []
    assert found(line.format("password"), path) == []


@pytest.mark.parametrize(
    ("line", "secret"),
    [
        ("AKIA" + "QWERTYUIOPASDFG2" + ":wJalrXUtnFEMIK7MDENGbPxRfiCYq8zTn2LkV0aB:us-east-1", "wJalrXUtnFEMI"),
        ("postgres://app:84623519@us-east-1.db.acme.com/x", "84623519"),
        ("postgres://app:hunter2secret@us-east-1.db.acme.com/x", "hunter2secret"),
        ("s3: s3://user1:pAssw0rdX@us-east-1/logs", "pAssw0rdX"),
        ("s3: s3://" + "AKIA" + "QWERTYUIOPASDFG2:abcdEFGH1234@us-east-1/logs", "abcdEFGH1234"),
        ("login Tr0ub4dor:us-east-1:prod", "Tr0ub4dor"),
        ("us-east-1:sk_mysecretvalue12345", "mysecretvalue"),
        ("ops:hunter2secret@db.prod-use1.acme.internal", "hunter2secret"),
        ("111122223333:hunter2secret", "hunter2secret"),
        ("password=correcthorse42@us-east-1", "correcthorse42"),
    ],
)
@pytest.mark.parametrize("groups", [ALL, ("region",), ("account",)])
def test_what_stands_beside_a_region_is_not_shown(line: str, secret: str, groups: tuple[str, ...]) -> None:
    options = ScanOptions(region="us-east-1", account="111122223333", to_other_account=True, rules=groups)
    for path in ("/etc/creds", "/root/.pgpass"):
        for match in Matcher(rules_for(options)).matches(line.encode(), path):
            assert secret not in match.excerpt


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/a.xml", "<!-- old\n<region>us-east-1</region>\n-->\n"),
        ("/a.js", "/* old\nregion = 'us-east-1'\n*/\n"),
        ("/a.tf", "/*\n  region = 'us-east-1'\n*/\n"),
        ("/a.ps1", "<#\n$env:AWS_REGION = 'us-east-1'\n#>\n"),
        ("/a.cmd", ":: set AWS_REGION=us-east-1\n"),
    ],
)
def test_a_comment_may_have_several_lines(path: str, text: str) -> None:
    assert found(text, path) == []
    assert found(f"{text}region = us-east-1\n", path) == ["region-setting"]


@pytest.mark.parametrize(
    "line",
    [
        '<!-- prod --><add key="AWSRegion" value="us-east-1"/>',
        "/* prod */ region = 'us-east-1'",
        '#define AWS_REGION "us-east-1"',
        "/etc/*.conf region = us-east-1",
    ],
)
def test_what_stands_behind_a_comment_counts(line: str) -> None:
    assert found(line, "/a.config") == ["region-setting"]


def test_a_setting_near_a_list_of_regions_still_counts() -> None:
    text = "region: us-east-1\nreplicas: [eu-west-1, ap-south-1]\n"
    text += "subnet: subnet-0f1d9b3c7d5e6f708\nvpc: vpc-0f1d9b3c7d5e6f709\n"
    assert found(text) == ["region-setting", "resource-id", "resource-id"]
    assert worst(text) == ("resource-id", "HIGH")
    assert worst("region: us-east-1\nreplicas: [eu-west-1, ap-south-1]\n") == ("region-setting", "LOW")


@pytest.mark.parametrize("text", ["r-4f3e2d1c", "h-1f2e3d4c"])
def test_kinds_of_ids_that_were_never_short_are_none(text: str) -> None:
    assert found(f"container {text} started") == []


def test_everything_on_one_line_is_listed() -> None:
    line = '{"db": "a.us-east-1.rds.amazonaws.com", "q": "https://sqs.us-east-1.amazonaws.com/1/q", '
    line += '"sg": "sg-0a1b2c3d4e5f60718"}'
    assert found(line) == ["endpoint", "endpoint", "resource-id"]
    assert len(found("us-east-1.a " * 3 + " ".join(f"db{number}.us-east-1" for number in range(99)))) == 10


def test_an_account_counts_only_for_another_account() -> None:
    line = "role = arn:aws:iam::444455556666:role/web"
    assert found(line) == []
    assert found(line, account="444455556666") == ["account-id"]
    assert found("id = 444455556666", account="444455556666") == ["account-id"]
    assert found("id = 14444555566667", account="444455556666") == []
    assert found("account: 4444-5555-6666", account="444455556666") == ["account-id"]
    assert found("card: 4444-5555-6666-7777", account="444455556666") == []


def test_files_of_windows_are_read_as_utf_16() -> None:
    assert found("region=us-east-1\r\n".encode("utf-16")) == ["region-setting"]
    assert in_utf_8(b"us-east-1\0binary") == b""


def test_lines_are_counted_from_1_whatever_ends_them() -> None:
    options = ScanOptions(region="us-east-1")
    text = "a\r\nb\nregion=us-east-1\r\n\nregion=us-east-1"
    assert [match.line for match in Matcher(rules_for(options)).matches(text.encode(), "/x")] == [3, 5]


def test_a_long_line_is_matched_in_pieces_and_reported_once() -> None:
    text = "x" * 5000 + " region=us-east-1 " + "y" * 5000 + " region=us-east-1 "
    assert found(text) == ["region-setting"]


HOSTILE = (
    *(
        "region",
        "region_",
        "region.",
        "kms.",
        "a.",
        "us-east-1.",
        "us-east-1-",
        "us-east-1 ",
        "http://a:",
        "-----BEGIN ",
    ),
    *("aws_secret_", "use1.", ":", "arn:aws:sns:us-east-1:", "password ", '{"region":"us-east-1","regionName":"x"},'),
)


@pytest.mark.parametrize("word", HOSTILE)
def test_the_time_for_a_hostile_file_is_bounded(word: str) -> None:
    """Each would take minutes if a pattern had to try every way to match: 64 KiB, in lines and in one."""
    line = (word * 1800)[:1800] + " us-east-1x us-east-1 1c9b7a3e-5d2f-4e86-b0a4-8f6d2c1e3b57"
    found(f"{line}\n" * 35)
    found(line * 35)


def test_a_scan_that_is_to_end_ends_between_lines() -> None:
    class Ended(Exception):
        pass

    def check() -> None:
        raise Ended

    with pytest.raises(Ended):
        Matcher(rules_for(ScanOptions(region="us-east-1")), check).matches(b"region=us-east-1", "/x")


def worst(text: str, path: str = "/opt/app.conf", region: str = "us-east-1") -> tuple[str, str]:
    """Return the most severe rule that matches, and its severity."""
    matches = Matcher(rules_for(ScanOptions(region=region, rules=ALL))).matches(text.encode(), path)
    rule = max((match.rule for match in matches), key=lambda one: one.severity)
    return rule.name, rule.severity.name


GLOBAL = """\
https://cloudfront.us-east-1.amazonaws.com
aws ce get-cost-and-usage --region us-east-1
aws --profile ops cloudfront create-invalidation --region us-east-1
aws ecr-public get-login-password --region us-east-1 | docker login
boto3.client("pricing", region_name="us-east-1")
boto3.client('route53', 'us-east-1')
cloudwatch.get("AWS/Billing", region="us-east-1")
arn:aws:wafv2:us-east-1:111122223344:global/webacl/x/1
CLOUDFRONT_CERTIFICATE=arn:aws:acm:us-east-1:111122223344:certificate/0b1c
cloudfront: {certificate_region: us-east-1}
"""


@pytest.mark.parametrize("line", GLOBAL.splitlines())
def test_a_global_service_is_no_reason_to_look(line: str) -> None:
    assert worst(line) == ("global-service", "INFO")


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ("cloudfront origin: assets.s3.us-east-1.amazonaws.com", "endpoint"),
        ("aws cloudfront x --function arn:aws:sns:us-east-1:111122223344:t", "arn"),
        ("arn:aws:acm:us-east-1:111122223344:certificate/0b1c", "arn"),
        ("arn:aws:wafv2:us-east-1:111122223344:regional/webacl/x/1", "arn"),
        ("aws s3 ls --region us-east-1", "region-setting"),
        ("choice --region us-east-1", "region-setting"),
        ("https://sts.us-east-1.amazonaws.com", "endpoint"),
    ],
)
def test_what_only_stands_beside_a_global_service_counts(line: str, rule: str) -> None:
    assert worst(line) == (rule, "HIGH")


@pytest.mark.parametrize(
    ("line", "region", "rule", "severity"),
    [
        ("https://queue.amazonaws.com/123456789/jobs", "us-east-1", "endpoint-old", "HIGH"),
        ("endpoint: https://sns.amazonaws.com", "us-east-1", "endpoint-old", "HIGH"),
        ("<value>s3-external-1.amazonaws.com</value>", "us-east-1", "endpoint-old", "HIGH"),
        ("db_host = db.prod-use1.acme.internal", "us-east-1", "host-code", "MEDIUM"),
        ("redis://cache-usw2.corp.net:6379", "us-west-2", "host-code", "MEDIUM"),
        ("cluster: APSE2-prod", "ap-southeast-2", "short-code", "LOW"),
        ("subnet_group = web-euw1b", "eu-west-1", "short-code", "LOW"),
        ("nameserver 10.20.0.2", "us-east-1", "resolver", "MEDIUM"),
        ('"dns": ["172.31.0.2"]', "us-east-1", "resolver", "MEDIUM"),
        ("server=/corp.internal/10.0.0.2", "us-east-1", "resolver", "MEDIUM"),
        ("model: us.anthropic.claude-sonnet-4-20250514-v1:0", "us-east-1", "model-profile", "MEDIUM"),
        ("model = eu.amazon.nova-lite-v1:0", "eu-west-1", "model-profile", "MEDIUM"),
    ],
)
def test_what_means_a_region_without_its_name_is_found(line: str, region: str, rule: str, severity: str) -> None:
    assert worst(line, region=region) == (rule, severity)


@pytest.mark.parametrize(
    "line",
    [
        '"Principal": {"Service": "ec2.amazonaws.com"}',
        "https://s3.amazonaws.com/bucket",
        "nameserver 169.254.169.253",
        "nameserver 10.20.0.20",
        "server 10.0.0.2:8080",
        "because1 reuse1 use12",
        "eu.anthropic.claude-sonnet-4-20250514-v1:0",
        "https://us.amazon.com",
        "us-west-2.queue.amazonaws.com",
    ],
)
def test_what_means_no_region_is_not_found(line: str) -> None:
    options = ScanOptions(region="us-east-1", rules=ALL)
    found = Matcher(rules_for(options)).matches(line.encode(), "/opt/app.conf")
    assert [match.rule.name for match in found if match.rule.severity > 0] == []


@pytest.mark.parametrize(
    "path",
    [
        "/opt/app/.env.example",
        "/opt/app/config.sample.yaml",
        "/opt/app/tests/conftest.py",
        "/srv/web/app.spec.ts",
        "/opt/app/README.md",
        "/opt/app/examples/main.tf",
        "/opt/app/spec/uploader_spec.rb",
    ],
)
def test_examples_tests_and_documentation_are_of_low_severity_but_secrets_in_them_are_not(path: str) -> None:
    assert worst("region = us-east-1", path) == ("region-setting", "LOW")
    assert worst("aws_key = AKIAQWERTYUIOPASDFGH", path)[1] == "CRITICAL"


@pytest.mark.parametrize("path", ["/opt/test/app.conf", "/srv/docs/settings.py", "/opt/app/template.yaml"])
def test_what_may_be_deployed_is_no_example(path: str) -> None:
    assert worst("region = us-east-1", path) == ("region-setting", "HIGH")


def test_dhcp_writes_the_resolver_anew() -> None:
    assert worst("nameserver 10.0.0.2", "/etc/resolv.conf") == ("resolver", "LOW")
