"""What uses an image, in words: ARNs are too long to read, and one of each kind is enough."""

from collections.abc import Iterable


def users_text(arns: Iterable[str]) -> str:
    """Return subject and verb for what has these ARNs: ``2 instances (such as i-1) and launch template lt-1 use``."""
    kinds: dict[str, list[str]] = {}
    for arn in dict.fromkeys(arns):
        kind, name = _kind_and_name(arn)
        kinds.setdefault(kind, []).append(name)
    some = [_counted(kind, names) for kind, names in kinds.items()]
    *most, last = some
    is_one = sum(map(len, kinds.values())) == 1
    return f"{', '.join(most)}{' and ' if most else ''}{last} {'uses' if is_one else 'use'}"


def _kind_and_name(arn: str) -> tuple[str, str]:
    """Return ``launch template`` and ``lt-1``; no kind and the whole ARN if it has another form."""
    resource = arn.split(":", 5)[5:]
    kind, _, name = resource[0].partition("/") if resource else ("", "", "")
    return (kind.replace("-", " "), name) if name else ("", arn)


def _counted(kind: str, names: list[str]) -> str:
    if len(names) > 1:
        return f"{len(names)} {kind or 'resource'}s (such as {names[0]})"
    return f"{kind} {names[0]}".lstrip()
