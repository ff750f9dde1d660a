"""Settings of runs, notifications and apps that are checked where they are given, in words that name them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

import flyte
from flyte import notify
from flyte.remote import AppSpec

PHASE = "failed"


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: flyte.with_runcontext(on_existing="x"), ValueError, "on_existing is 'x'; it must be one of 'reuse', 'error'"),
        (lambda: flyte.with_runcontext(log_format="xml"), ValueError,
         "log_format is 'xml'; it must be one of 'console', 'json'"),
        (lambda: flyte.with_runcontext(cache_lookup_scope="all"), ValueError,
         "cache_lookup_scope is 'all'; it must be one of 'global', 'project-domain'"),
        (lambda: flyte.with_runcontext(interruptible="no"), TypeError, "interruptible takes True or False, not 'no'"),
        (lambda: flyte.with_runcontext(overwrite_cache=1), TypeError, "overwrite_cache takes True or False, not 1"),
        (lambda: flyte.with_runcontext(debug="yes"), TypeError, "debug takes True or False, not 'yes'"),
        *(
            (lambda name=name: flyte.with_runcontext(**{name: 3}), TypeError, f"{name} takes text, not int")
            for name in ("queue", "service_account", "raw_data_path", "run_base_dir", "version", "project", "domain")
        ),
        (lambda: notify.Webhook(on_phase=PHASE, url="https://x", method="FROB"), ValueError, "method is 'FROB'; it must be one of "),
        (lambda: flyte.with_runcontext(notifications=[notify.NamedRule("x")]), TypeError,
         "not NamedRule; a rule on the server stands alone, not in a list"),
        (lambda: AppSpec(image="i", scaledown_after=300), TypeError, "scaledown_after takes a timedelta, not 300"),
        (lambda: AppSpec(image="i", scaledown_after=timedelta(-1)), ValueError, "it must be positive"),
        (lambda: AppSpec(image="i", command=5), TypeError, "AppSpec.command and AppSpec.args take a list of texts, not 5"),
        (lambda: AppSpec(image="i", resources="1Gi"), TypeError, "AppSpec.resources takes a flyte.Resources, not str"),
        (lambda: AppSpec(image="i", cluster_pool=4), TypeError, "AppSpec.cluster_pool takes text, not int"),
        (lambda: flyte.with_runcontext(log_level=-5), ValueError, "log_level is -5; a level of `logging` is not negative"),
        (lambda: AppSpec(image="i", service_account=4), TypeError, "service_account takes text, not int"),
        (lambda: flyte.Device(device_class="FROB"), ValueError, "device_class is 'FROB'; it must be one of "),
    ],
)  # fmt: skip
def test_wrong_values(call: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error) as caught:
        call()
    assert message in str(caught.value) and "Attribute(" not in str(caught.value)


def test_values_that_may_be_secret_are_not_shown() -> None:
    secret = "s3cret-value"
    shown = [
        repr(flyte.with_runcontext(env_vars={"API_KEY": secret})),
        repr(AppSpec(image="i", env_vars={"API_KEY": secret})),
        repr(notify.Webhook(on_phase=PHASE, url="https://x", body={"token": secret})),
    ]
    assert all(secret not in text for text in shown)
    assert all("'API_KEY': ..." in text for text in shown[:2])
