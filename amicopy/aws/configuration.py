"""Errors about an AWS configuration that botocore can't use, each naming the setting and how to correct it."""

import os
from typing import Any

from botocore.exceptions import BotoCoreError, ProfileNotFound

from amicopy.core.errors import AmicopyError, CredentialsMissing, UsageError

# Whole numbers: the setting in the configuration file, its environment variable, and the minimum.
_NUMBERS = (
    ("max_attempts", "AWS_MAX_ATTEMPTS", 1),
    ("metadata_service_timeout", "AWS_METADATA_SERVICE_TIMEOUT", 0),
    ("metadata_service_num_attempts", "AWS_METADATA_SERVICE_NUM_ATTEMPTS", 0),
    ("request_min_compression_size_bytes", "AWS_REQUEST_MIN_COMPRESSION_SIZE_BYTES", 0),
    ("csm_port", "AWS_CSM_PORT", 0),
)
_INVALID_ENDPOINT = "Invalid endpoint: "  # how botocore.endpoint begins its ValueError


def configuration_error(error: BotoCoreError) -> CredentialsMissing:
    """Return our error for a profile or configuration file that botocore can't use."""
    if isinstance(error, ProfileNotFound):
        return CredentialsMissing(
            f"{error}.",
            next_step="Use one that exists with --profile or AWS_PROFILE: aws configure list-profiles",
        )
    return CredentialsMissing(
        "The AWS configuration cannot be used.",
        why=str(error),
        next_step="Correct that setting in the environment or in ~/.aws/config.",
    )


def client_error(error: Exception, session: Any, service: str, endpoint_url: str | None) -> AmicopyError:
    """Return our error for what botocore raised while it read its configuration to create a client.

    botocore reads numbers, endpoints and credentials at that moment and reports them with plain ValueErrors.
    """
    number = _number_error(session)
    if number:
        return number
    if isinstance(error, BotoCoreError):
        return configuration_error(error)
    text = str(error)
    if text.startswith(_INVALID_ENDPOINT):
        return _endpoint_error(text.removeprefix(_INVALID_ENDPOINT), service, endpoint_url)
    return CredentialsMissing(
        "The AWS credentials cannot be read.",
        why=text,
        next_step="Correct the source of credentials in ~/.aws/config or in the environment, "
        "and check it with: aws sts get-caller-identity",
    )


def _number_error(session: Any) -> UsageError | None:
    """Return the error about the first setting that has to be a number and isn't; None if all are."""
    try:
        settings = session.get_scoped_config()
    except BotoCoreError:
        settings = {}
    for setting, variable, least in _NUMBERS:
        from_environment = variable in os.environ
        value = os.environ[variable] if from_environment else settings.get(setting)
        if value is None or _is_number(value, least):
            continue
        name = variable if from_environment else f"{setting} in {session.get_config_variable('config_file')}"
        return UsageError(
            f"{name} is {value!r}.",
            why=f"It must be a whole number, {least} or more.",
            next_step=f"Correct it, or unset {variable}." if from_environment else "Correct it, or remove that line.",
        )
    return None


def _is_number(value: object, least: int) -> bool:
    try:
        return int(str(value)) >= least
    except ValueError:
        return False


def _endpoint_error(url: str, service: str, endpoint_url: str | None) -> UsageError:
    """Return the error about an endpoint that isn't a URL, naming where it comes from."""
    variables = (f"AWS_ENDPOINT_URL_{service.upper().replace('-', '_')}", "AWS_ENDPOINT_URL")
    source = next((name for name in variables if os.environ.get(name)), "endpoint_url in ~/.aws/config")
    return UsageError(
        f"The endpoint {url!r} is not a URL.",
        why="" if endpoint_url else f"It comes from {source}.",
        next_step="Use a URL such as http://127.0.0.1:5000, or none to call AWS.",
    )
