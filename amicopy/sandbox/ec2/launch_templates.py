"""CreateLaunchTemplateVersion: what a new version takes from the one that it is based on. moto has the templates."""

from typing import Any

from amicopy.sandbox.state import Call


def create_version(call: Call) -> dict[str, Any]:
    """Return the parameters with the data of the source version, which moto does not look at."""
    params = dict(call.params)
    if params.get("SourceVersion"):
        named = {name: params[name] for name in ("LaunchTemplateId", "LaunchTemplateName") if params.get(name)}
        source = call.state.others.launch_template(
            call.account, call.region, named | {"Version": params["SourceVersion"]}
        )
        data = {**source, **(params.get("LaunchTemplateData") or {})}
        params["LaunchTemplateData"] = {name: value for name, value in data.items() if value is not None}
    return params
