"""Settings of scopes: what holds, where it comes from, and how it is changed."""

from __future__ import annotations

import asyncio
import json
import pickle
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyte.errors import AlreadyExistsError, FailedPreconditionError, UnimplementedError
from flyte.remote import UNSET, LocalSetting, ResolvedSettings, SettingOrigin, Settings
from flyte_api.messages.flyteidl2.core.tasks import AcceleratorModel, GPUAccelerator, GPUAcceleratorDeviceClass
from flyte_api.messages.flyteidl2.settings import settings_definition
from flyte_api.messages.flyteidl2.settings.settings_definition import (
    AcceleratorSetting,
    AppSettings,
    RunSettings,
    ScopeLevel,
    SettingsKey,
    SettingState,
    StringMap,
    StringMapSetting,
    StringSetting,
    TaskResourceSettings,
)
from flyte_api.messages.flyteidl2.settings.settings_definition import Settings as SettingsMessage
from flyte_api.messages.flyteidl2.settings.settings_service import GetSettingsForEditResponse, SettingsRecord
from flyte_rpc.calls.client import CallRecord, Client
from flyte_rpc.serving.server import serve
from remote.planes.settings import Book

EVERYTHING: dict[str, Any] = {
    "run.default_queue": "gpu",
    "run.max_action_concurrency": 5,
    "task_resource.min.cpu": "500m",
    "task_resource.max.memory": "2Gi",
    "task_resource.mirror_limits_request": True,
    "task_resource.default_accelerator": "nvidia-l4",
    "labels": {"team": "a", "cost": "1"},
    "environment_variables": UNSET,
    "app.disallow_anonymous": False,
    "pod_template_name": "",
}


@pytest.fixture
def book() -> Book:
    return Book()


@pytest.fixture
async def client(book: Book) -> AsyncIterator[Client]:
    # Its project and domain are not those of any setting here.
    async with (
        await serve([book]) as server,
        Client(server.endpoint, org="o", project="other", domain="other", timeout=20) as made,
    ):
        yield made


def text(value: str) -> StringSetting:
    return StringSetting(state=SettingState.VALUE, string_value=value)


def entries(**values: str) -> StringMapSetting:
    return StringMapSetting(state=SettingState.VALUE, map_value=StringMap(entries=values))


async def read(client: Client, domain: str | None = None, project: str | None = None) -> Settings:
    return await Settings.get_settings_for_edit.aio(domain=domain, project=project, client=client)


def test_everything_that_can_be_set_is_known() -> None:
    assert Settings.available_keys() == [
        "run.default_queue",
        "run.max_action_concurrency",
        "run.run_base_dir",
        "security.service_account",
        "storage.raw_data_path",
        *(f"task_resource.{bound}.{name}" for bound in ("min", "max") for name in ("cpu", "gpu", "memory", "storage")),
        "task_resource.mirror_limits_request",
        "task_resource.default_accelerator",
        "labels",
        "annotations",
        "environment_variables",
        "app.disallow_anonymous",
        "app.app_dns_strategy",
        "pod_template_name",
    ]
    kinds = {name for name, value in vars(settings_definition).items() if name.endswith("Setting")}
    from flyte.remote.settings.values import _KINDS

    assert {kind.__name__ for kind in _KINDS} == kinds, "a kind of setting that this release does not know is not found"


async def test_what_is_set_is_read_back_the_same(client: Client) -> None:
    settings = await read(client, "d", "p")
    assert (settings.version, settings.local_settings, settings.effective_settings) == (0, [], [])
    assert (settings.domain, settings.project, settings.scope_description()) == ("d", "p", "PROJECT(d/p)")
    assert await settings.update_settings.aio(EVERYTHING) is settings
    again = await read(client, "d", "p")
    for found in (settings, again):
        assert found.local_overrides() == found.effective_values() == EVERYTHING
        assert found.version == 1
        assert {setting.origin for setting in found.effective_settings} == {SettingOrigin("PROJECT", "d", "p")}
    assert settings == again and hash(settings) == hash(again)


async def test_scopes_come_from_the_arguments_alone(book: Book, client: Client) -> None:
    for domain, project, described in ((None, None, "ORG"), ("d", None, "DOMAIN(d)"), ("d", "p", "PROJECT(d/p)")):
        settings = await asyncio.to_thread(
            Settings.get_settings_for_edit, domain=domain, project=project, client=client
        )
        assert settings.scope_description() == described
        assert repr(settings).startswith(f"Settings(scope='{described}'")
    assert book.keys == [
        SettingsKey(org="o"),
        SettingsKey(org="o", domain="d"),
        SettingsKey(org="o", domain="d", project="p"),
    ]


@pytest.mark.parametrize("sparse", [False, True])
async def test_the_narrowest_scope_wins_and_maps_add_up(sparse: bool, book: Book, client: Client) -> None:
    book.sparse = sparse
    book.put(
        SettingsMessage(
            run=RunSettings(default_queue=text("slow"), run_base_dir=text("s3://o")),
            labels=entries(org="o", both="o"),
            annotations=entries(a="o"),
        )
    )
    book.put(
        SettingsMessage(
            run=RunSettings(default_queue=text("fast"), run_base_dir=StringSetting(state=SettingState.UNSET)),
            labels=entries(both="d"),
            annotations=StringMapSetting(state=SettingState.UNSET),
        ),
        "d",
    )
    book.put(SettingsMessage(annotations=entries(a="p")), "d", "p")
    settings = await read(client, "d", "p")
    assert settings.effective_values() == {
        "run.default_queue": "fast",
        "run.run_base_dir": UNSET,
        "labels": {"org": "o", "both": "d"},
        "annotations": {"a": "p"},
    }
    found = {setting.key: setting for setting in settings.effective_settings}
    org, domain, project = SettingOrigin("ORG"), SettingOrigin("DOMAIN", "d"), SettingOrigin("PROJECT", "d", "p")
    assert [found[key].origin for key in found] == [domain, domain, domain, project]
    assert found["labels"].entries == {"org": org, "both": domain}
    assert found["annotations"].entries == {"a": project}
    assert settings.local_settings == [LocalSetting("annotations", {"a": "p"})]
    assert {setting.key: setting.value for setting in settings.inherited_settings} == {
        "run.default_queue": "fast",
        "run.run_base_dir": UNSET,
        "labels": {"org": "o", "both": "d"},
        "annotations": UNSET,
    }
    assert [str(origin) for origin in (org, domain, project)] == ["ORG", "DOMAIN(d)", "PROJECT(d/p)"]


@pytest.mark.parametrize("sparse", [False, True])
async def test_an_update_replaces_what_the_scope_sets(sparse: bool, book: Book, client: Client) -> None:
    book.sparse = sparse
    book.put(SettingsMessage(run=RunSettings(default_queue=text("slow"))))
    settings = await read(client, "d")
    await settings.update_settings.aio({"run.default_queue": "gpu", "labels": {"a": "b"}})
    assert settings.effective_values() == {"run.default_queue": "gpu", "labels": {"a": "b"}}
    await asyncio.to_thread(settings.update_settings, {"labels": {"a": "c"}})
    assert settings.version == 2 and settings.local_overrides() == {"labels": {"a": "c"}}
    assert settings.effective_values() == {"run.default_queue": "slow", "labels": {"a": "c"}}
    await settings.update_settings.aio({})
    assert settings.version == 3 and settings.effective_values() == {"run.default_queue": "slow"}
    assert (await read(client)).effective_values() == {"run.default_queue": "slow"}


async def test_somebody_elses_change_is_not_overwritten(book: Book, client: Client) -> None:
    mine, theirs = await read(client, "d"), await read(client, "d")
    await theirs.update_settings.aio({"run.default_queue": "theirs"})
    with pytest.raises(AlreadyExistsError):
        await mine.update_settings.aio({"run.default_queue": "mine"})
    mine = await read(client, "d")
    await theirs.update_settings.aio({"run.default_queue": "again"})
    with pytest.raises(FailedPreconditionError, match="have changed"):
        await mine.update_settings.aio({"run.default_queue": "mine"})
    assert (await read(client, "d")).local_overrides() == {"run.default_queue": "again"}


async def test_what_a_newer_server_knows_is_kept(book: Book, client: Client) -> None:
    odd = StringSetting(state=SettingState(7), string_value="odd")
    partition = AcceleratorSetting(
        state=SettingState.VALUE, accelerator_value=GPUAccelerator(device="nvidia-a100", partition_size="1g.5gb")
    )
    sent = SettingsMessage(
        run=RunSettings(default_queue=text("q")),
        app=AppSettings(app_dns_strategy=odd),
        task_resource=TaskResourceSettings(default_accelerator=partition),
    )
    newer = bytes(sent) + b"\xfa\x01\x03new"
    book.put(SettingsMessage.parse(newer), "d")
    settings = await read(client, "d")
    assert settings.local_overrides() == {"run.default_queue": "q", "task_resource.default_accelerator": "nvidia-a100"}
    await settings.update_settings.aio({"task_resource.default_accelerator": "nvidia-a100"})
    stored = book.records["d", ""].settings
    assert stored is not None and b"\xfa\x01\x03new" in bytes(stored)
    assert stored.app is not None and stored.app.app_dns_strategy == odd
    assert stored.task_resource is not None and stored.task_resource.default_accelerator == partition
    assert stored.run is None or stored.run.default_queue is None


@pytest.mark.parametrize(
    ("name", "model", "device_class"),
    [
        ("nvidia-l4", AcceleratorModel.NVIDIA_L4, GPUAcceleratorDeviceClass.NVIDIA_GPU),
        ("aws-trn1", AcceleratorModel.AMAZON_TRN1, GPUAcceleratorDeviceClass.AMAZON_NEURON),
        ("next-big-thing", AcceleratorModel.ACCELERATOR_MODEL_UNSPECIFIED, GPUAcceleratorDeviceClass.NVIDIA_GPU),
    ],
)
async def test_accelerators_go_by_name(
    name: str, model: AcceleratorModel, device_class: GPUAcceleratorDeviceClass, book: Book, client: Client
) -> None:
    settings = await read(client)
    await settings.update_settings.aio({"task_resource.default_accelerator": name})
    stored = book.records["", ""].settings
    assert stored is not None and stored.task_resource is not None
    leaf = stored.task_resource.default_accelerator
    assert leaf is not None
    assert leaf.accelerator_value == GPUAccelerator(device=name, accelerator_model=model, device_class=device_class)
    leaf.accelerator_value.device = ""
    known = (await read(client)).effective_values()["task_resource.default_accelerator"]
    assert known == (name if model else "")


@pytest.mark.parametrize(
    ("overrides", "error", "complaint"),
    [
        (
            {"run.default_que": "x"},
            ValueError,
            r"no setting is named 'run\.default_que'; did you mean run\.default_queue",
        ),
        ({"zzz": 1}, ValueError, r"known: run\.default_queue, "),
        ({"run": {"default_queue": "x"}}, ValueError, "no setting is named 'run'"),
        ({1: "x"}, TypeError, "keys must be text"),
        (["run.default_queue"], TypeError, "takes a mapping of keys to values, not list"),
        ({"run.default_queue": 1}, TypeError, r"run\.default_queue takes text, or UNSET, not int \(1\)"),
        ({"run.default_queue": None}, TypeError, "not NoneType"),
        ({"run.max_action_concurrency": "5"}, TypeError, "takes a whole number"),
        ({"run.max_action_concurrency": True}, TypeError, "takes a whole number, or UNSET, not bool"),
        ({"run.max_action_concurrency": 1 << 63}, ValueError, "is not between"),
        ({"app.disallow_anonymous": "no"}, TypeError, "takes True or False"),
        ({"task_resource.min.cpu": True}, TypeError, "takes a quantity"),
        ({"task_resource.default_accelerator": 4}, TypeError, "takes the name of an accelerator"),
        ({"labels": ["a"]}, TypeError, "takes a mapping"),
        ({"labels": {"a": 1}}, TypeError, "labels takes text for keys and values, not 'a': int"),
    ],
)
async def test_bad_settings_are_refused_before_anything_is_sent(
    overrides: Any, error: type[Exception], complaint: str, book: Book, client: Client
) -> None:
    settings = await read(client, "d")
    with pytest.raises(error, match=complaint):
        await settings.update_settings.aio(overrides)
    assert book.records == {} and settings.version == 0


async def test_quantities_may_be_numbers(client: Client) -> None:
    settings = await read(client)
    await settings.update_settings.aio({"task_resource.min.cpu": 2, "task_resource.max.cpu": 2.5})
    assert settings.local_overrides() == {"task_resource.min.cpu": "2", "task_resource.max.cpu": "2.5"}


@pytest.mark.parametrize(
    ("scope", "complaint"),
    [
        ({"project": "p"}, "pass domain="),
        ({"domain": ""}, "domain must not be empty"),
        ({"project": ""}, "empty"),
    ],
)
async def test_bad_scopes_are_refused_before_anything_is_sent(scope: dict[str, str], complaint: str) -> None:
    calls: list[CallRecord] = []
    async with Client("http://127.0.0.1:1", on_call=calls.append) as client:
        for get in (Settings.get_settings_for_edit, ResolvedSettings.get):
            with pytest.raises(ValueError, match=complaint):
                await get.aio(**scope, client=client)
    assert calls == []


async def test_json_pickles_and_dicts(client: Client) -> None:
    settings = await read(client, "d")
    await settings.update_settings.aio(EVERYTHING)
    read_back = json.loads(settings.to_json())
    assert read_back["levels"][-1]["settings"]["run"]["defaultQueue"]["stringValue"] == "gpu"
    assert pickle.loads(pickle.dumps(settings)).local_overrides() == EVERYTHING
    assert pickle.loads(pickle.dumps(UNSET)) is UNSET and repr(UNSET) == "UNSET"


async def test_yaml_goes_round(book: Book, client: Client) -> None:
    book.put(SettingsMessage(run=RunSettings(default_queue=text("slow")), labels=entries(team="o", org="acme")))
    settings = await read(client, "d")
    await settings.update_settings.aio(EVERYTHING)
    written = settings.to_yaml()
    assert Settings.parse_yaml(written) == EVERYTHING
    lines = written.splitlines()
    assert lines[0] == "### Settings of DOMAIN(d)"
    assert "environment_variables: ~unset" in lines
    assert lines[lines.index("run.default_queue: gpu") + 1] == "## instead of what ORG says:"
    assert "  # org: acme  ## also, from ORG" in lines
    assert [title for title, _ in settings.to_yaml_sections()] == ["Local overrides", "Available settings"]
    # A whole template with every # removed is YAML too, and says what the comments said.
    other = (await read(client, "e")).to_yaml()
    assert Settings.parse_yaml(other) == {}
    active = "\n".join(line.removeprefix("# ") for line in other.splitlines())
    parsed = Settings.parse_yaml(active)
    assert set(parsed) == set(Settings.available_keys())
    assert (parsed["run.default_queue"], parsed["labels"]) == ("slow", {"team": "o", "org": "acme"})


@given(
    st.dictionaries(
        st.text(st.characters(exclude_categories=("Cs",)), max_size=20).filter(lambda t: t != "~unset"),
        st.text(st.characters(exclude_categories=("Cs",)), max_size=20),
        min_size=1,
        max_size=5,
    )
)
def test_any_text_survives_yaml(labels: dict[str, str]) -> None:
    record = SettingsRecord(
        settings=SettingsMessage(
            labels=StringMapSetting(state=SettingState.VALUE, map_value=StringMap(entries=labels)),
            run=RunSettings(default_queue=text(next(iter(labels)))),
        )
    )
    settings = Settings(GetSettingsForEditResponse(levels=[record]))
    assert Settings.parse_yaml(settings.to_yaml()) == {"labels": labels, "run.default_queue": next(iter(labels))}


@pytest.mark.parametrize("content", ["a: [", "- a", "just text", "a: b: c", "\x00", "a: 2021-99-99", "[" * 3_000])
def test_what_is_no_mapping_is_refused(content: str) -> None:
    with pytest.raises(ValueError, match=r"not valid YAML|a mapping of keys"):
        Settings.parse_yaml(content)


def test_what_is_no_text_is_refused() -> None:
    with pytest.raises(TypeError, match="yaml_content takes text, not int"):
        Settings.parse_yaml(5)  # type: ignore[arg-type]  # which is the point


async def test_what_the_server_works_out(book: Book, client: Client) -> None:
    with pytest.raises(UnimplementedError, match="GetSettings"):
        await ResolvedSettings.get.aio(domain="d", client=client)
    queue, base = text("q"), text("s3://b")
    queue.scope_level, base.scope_level = ScopeLevel.DOMAIN, ScopeLevel(9)
    book.resolved = SettingsRecord(
        settings=SettingsMessage(run=RunSettings(default_queue=queue, run_base_dir=base), labels=entries(a="b")),
        version=4,
    )
    found = await ResolvedSettings.get.aio(domain="d", project="p", client=client)
    assert found.effective_values() == {"run.default_queue": "q", "run.run_base_dir": "s3://b", "labels": {"a": "b"}}
    assert [str(s.origin) for s in found.effective_settings] == ["DOMAIN(d)", "unknown(9)", "ORG"]
    assert found.version == 4
    assert repr(found).startswith("ResolvedSettings(scope='PROJECT(d/p)', values=")


async def test_a_server_without_settings() -> None:
    async with await serve([]) as server, Client(server.endpoint, timeout=20) as client:
        with pytest.raises(UnimplementedError, match="GetSettingsForEdit"):
            await read(client)
