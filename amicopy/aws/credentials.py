"""Loading credentials, once per session, and errors that name the source that failed."""

import json
import os
import shlex
from typing import Any

import botocore.session
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError, NoCredentialsError
from botocore.exceptions import ConnectionError as BotoConnectionError

from amicopy.aws.configuration import configuration_error
from amicopy.aws.error_mapping import is_still_expired, no_credentials
from amicopy.core.errors import AmicopyError, CredentialsExpired, CredentialsMissing, CredentialsRejected, Unreachable

_CONTAINER = ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI")


def load_credentials(session: Any, settings: botocore.session.Session, *, required: bool) -> None:
    """Let ``session`` find its credentials and obtain them: assume the role, run the process, ask for the MFA code.

    ``settings`` is the botocore session in it. botocore does this when the first client is created or used, in any
    thread, and doesn't remember that it found nothing: every further client then waits for the instance metadata
    service again.

    Raises:
        CredentialsMissing: there are none (only if ``required``), or their source is broken.
        CredentialsRejected: AWS refuses to give temporary credentials.
        CredentialsExpired: the source gave credentials that have expired.
        Unreachable: the source doesn't answer.
    """
    try:
        credentials = session.get_credentials()
        if credentials is not None:
            credentials.get_frozen_credentials()
    except Exception as error:
        raise _load_error(error, settings) from error
    if credentials is None and required:
        raise no_credentials(str(NoCredentialsError()))


def _load_error(error: Exception, settings: botocore.session.Session) -> AmicopyError:
    """Return our error for whatever a source of credentials raises; plain exceptions included, since many do."""
    try:
        source, next_step = _source(settings)
    except BotoCoreError as broken:  # the profile or its file
        return configuration_error(broken)
    what = f"No credentials could be obtained from {source}."
    if isinstance(error, ClientError):
        return CredentialsRejected(what, why=str(error), next_step=next_step)
    if isinstance(error, HTTPClientError | BotoConnectionError):
        return Unreachable(what, why=str(error), next_step="Check the network and that endpoint, then run again.")
    if is_still_expired(error):
        return CredentialsExpired(what, why=f"{error}.", next_step=next_step)
    if isinstance(error, EOFError):
        return CredentialsMissing(
            what,
            why="It needs an MFA code, and there is no terminal to ask for one.",
            next_step="Run the command in a terminal, or use credentials that need no MFA code.",
        )
    if isinstance(error, json.JSONDecodeError):
        return CredentialsMissing(what, why=f"Its output is not JSON: {error}.", next_step=next_step)
    return CredentialsMissing(what, why=str(error) or type(error).__name__, next_step=next_step)


def _source(settings: botocore.session.Session) -> tuple[str, str]:
    """Return where botocore looks for credentials, in words, and what to do if that fails.

    In the order in which botocore looks: a role, SSO and the like of the profile; the container; the instance.

    Raises:
        BotoCoreError: the configuration can't be read.
    """
    profile = settings.profile or "default"
    values = settings.get_scoped_config()
    of_profile = f"of profile {profile}"
    option = f" --profile {shlex.quote(profile)}"
    check = f"Correct it in ~/.aws/config, then check it with: aws sts get-caller-identity{option}"
    if "role_arn" in values:
        return f"role {values['role_arn']} {of_profile}", (
            "Check its trust policy, the credentials that assume it, and the MFA code: "
            f"aws sts get-caller-identity{option}"
        )
    if "AWS_WEB_IDENTITY_TOKEN_FILE" in os.environ:
        role = os.environ.get("AWS_ROLE_ARN", "(AWS_ROLE_ARN is not set)")
        return f"role {role} and the token in AWS_WEB_IDENTITY_TOKEN_FILE", "Check both, and the role's trust policy."
    if "sso_session" in values or "sso_start_url" in values:
        return f"IAM Identity Center (SSO) {of_profile}", f"Log in: aws sso login{option}"
    if "login_session" in values:
        return f"`aws login` {of_profile}", f"Log in: aws login{option}"
    if "credential_process" in values:
        return f"the credential_process {of_profile}", check
    if variable := next((name for name in _CONTAINER if name in os.environ), ""):
        return f"the container's endpoint in {variable}", "Check the task's or the pod's role."
    return "the configured source", check
