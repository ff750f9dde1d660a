"""`flyte.init`: the control plane of calls that are given no client."""

from __future__ import annotations

import os
import threading

from flyte_rpc.calls.client import Client, Token, default_client, set_default_client

from .errors import InitializationError

_ENVIRONMENT = {
    "endpoint": ("FLYTE_ENDPOINT", "FLYTE_ADMIN_ENDPOINT"),
    "org": ("FLYTE_ORG", "FLYTE_TASK_ORG"),
    "project": ("FLYTE_PROJECT", "FLYTE_TASK_PROJECT"),
    "domain": ("FLYTE_DOMAIN", "FLYTE_TASK_DOMAIN"),
    "token": ("FLYTE_TOKEN",),
    "insecure": ("FLYTE_INSECURE", "FLYTE_ADMIN_INSECURE"),
}
"""Environment variables that stand in for arguments, the first one that is set."""

_TRUTH = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}

_lock = threading.Lock()


def init(
    endpoint: str | None = None,
    *,
    org: str | None = None,
    project: str | None = None,
    domain: str | None = None,
    token: Token | None = None,
    insecure: bool | None = None,
    timeout: float = 60.0,
    page_size: int = 100,
    replace: bool = False,
) -> None:
    """Say which control plane this process talks to. Nothing is sent before the first call.

    What is not given is taken from the environment: `FLYTE_ENDPOINT`, `FLYTE_ORG`, `FLYTE_PROJECT`, `FLYTE_DOMAIN`,
    `FLYTE_TOKEN`, `FLYTE_INSECURE`; or `FLYTE_ADMIN_ENDPOINT`, `FLYTE_ADMIN_INSECURE` and `FLYTE_TASK_ORG`,
    `FLYTE_TASK_PROJECT`, `FLYTE_TASK_DOMAIN`, as other Flyte tools call them.

    To talk to several control planes, or as several users, make a `flyte.Client` each and pass it as `client=`.

    Args:
        endpoint: `http://host[:port]` for cleartext, `https://host[:port]` for TLS, `dns:///host[:port]` or `host[:port]`.
        org: Organization. Default: none.
        project: Project of calls that name none.
        domain: Domain of calls that name none.
        token: Bearer token, or a function that returns one and is called before each attempt. Default: anonymous.
        insecure: True for cleartext, False for TLS, when the endpoint does not say. Default: TLS except to this machine.
        timeout: Seconds that a call may take, retries included. Default: 60.
        page_size: Items that a listing asks for at a time. Default: 100.
        replace: Whether settings may differ from those of an earlier `init`, whose client is then closed. Default: False.

    Raises:
        InitializationError: There is no endpoint; or an earlier `init` had other settings and `replace` is False.
        ValueError: An argument, or a variable, cannot be used.
    """
    where = endpoint or _variable("endpoint")
    if not where:
        raise InitializationError(
            "No endpoint is given. Write flyte.init(endpoint='http://host:port'), set FLYTE_ENDPOINT, "
            "or start a local control plane with flyte.devbox.start()."
        )
    client = Client(
        where,
        org=org or _variable("org") or "",
        project=project or _variable("project"),
        domain=domain or _variable("domain"),
        token=token or _variable("token"),
        insecure=_insecure()
        if insecure is None and not where.lower().startswith(("http://", "https://"))
        else insecure,
        timeout=timeout,
        page_size=page_size,
    )
    with _lock:
        previous = default_client()
        if previous is not None and not previous.closed:
            ours, theirs = client.settings(), previous.settings()
            different = [name for name, value in ours.items() if theirs[name] != value]
            if not different:
                return
            if not replace:
                raise InitializationError(
                    "flyte.init() was called before with other settings: "
                    + ", ".join(_difference(name, theirs[name], ours[name]) for name in different)
                    + ". Pass replace=True to change them, or make a flyte.Client and pass it as client=."
                )
        set_default_client(client)
    if previous is not None:
        previous.close()


def _variable(argument: str) -> str | None:
    return next((value for name in _ENVIRONMENT[argument] if (value := os.environ.get(name, "").strip())), None)


def _insecure() -> bool | None:
    text = _variable("insecure")
    if text is None:
        return None
    if text.lower() not in _TRUTH:
        raise ValueError(f"FLYTE_INSECURE (or FLYTE_ADMIN_INSECURE) is {text!r}; it must be true or false")
    return _TRUTH[text.lower()]


def _difference(name: str, before: object, now: object) -> str:
    if name == "token":
        return "token (not shown)"
    return f"{name} {before!r}, now {now!r}"
