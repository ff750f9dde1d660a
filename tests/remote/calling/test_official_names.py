"""Names of the official SDK for client programs: models, devices, secrets, cards, and small helpers."""

from __future__ import annotations

import json
import logging
from base64 import b64decode
from collections.abc import Callable
from pathlib import Path

import pytest

import flyte
from flyte.artifacts import KIND_KEY, Card, Metadata
from flyte.devbox import Devbox
from flyte.models import MAX_INLINE_IO_BYTES, ActionID, CodeBundle, PathRewrite, RawDataPath
from flyte.remote import Secret, SecretTypes, docker_config


def test_action_ids() -> None:
    root = ActionID(name="a0", run_name="r1", project="p", domain="d")
    assert root.unique_id_str() == "p-d-r1-a0" and root.unique_id_str("s") == "p-d-r1-a0-s"
    child = root.new_sub_action("c")
    assert (child.name, child.run_name) == ("c", "r1") and root.new_sub_action().run_name == "r1"
    assert ActionID(name="x").run_name == "x" and ActionID.create_random() != ActionID.create_random()


def test_paths() -> None:
    rewrite = PathRewrite.from_str("s3://a->s3://b")
    assert (rewrite.old_prefix, rewrite.new_prefix, str(rewrite)) == ("s3://a", "s3://b", "s3://a->s3://b")
    path = RawDataPath(path="s3://b/x/", path_rewrite=rewrite).get_random_remote_path("f.csv")
    assert path.startswith("s3://b/x/") and path.endswith("/f.csv") and path.count("/") == 5
    bundle = CodeBundle("v1", tgz="s3://b/c.tgz").with_downloaded_path(Path("/tmp"))
    assert bundle.downloaded_path == Path("/tmp") and bundle.destination == "."
    assert MAX_INLINE_IO_BYTES == 10_485_760


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: PathRewrite.from_str("a"), "'old->new', not 'a'"),
        (lambda: PathRewrite.from_str("a->b->c"), "'old->new'"),
        (lambda: PathRewrite("a", "a"), "with itself"),
        (lambda: PathRewrite("", "a"), "old_prefix must not be empty"),
        (lambda: CodeBundle("v"), "tgz or pkl"),
        (lambda: flyte.GPU("H10", 1), "did you mean 'H100'"),
        (lambda: flyte.GPU("T4", 1, "1g.5gb"), "GPU partition of T4 is '1g.5gb'"),
        (lambda: flyte.GPU("T4", 0), ">= 1"),
        (lambda: flyte.TPU("V5P", "9x9"), "TPU partition of V5P is '9x9'"),
        (lambda: flyte.Device(1, "GPU", "T4"), "write device_class='GPU'"),
        (lambda: docker_config("ghcr.io", "a:b", "c"), "colon"),
        (lambda: docker_config("", "a", "c"), "registry must not be empty"),
        (lambda: docker_config("ghcr.io", "a", ""), "password"),
        (lambda: Card.create_from(), "either content= or local_path="),
        (lambda: Card.create_from(content="x", format="exe"), "format must be one of"),  # type: ignore[arg-type]
    ],
)
def test_values_that_are_invalid(make: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_devices() -> None:
    assert flyte.Resources(gpu=flyte.GPU("A100", 2, "1g.5gb")).device() == flyte.Device(2, "A100", "1g.5gb")
    assert flyte.TPU("V6E", "2x2").device_class == "TPU"
    assert flyte.Neuron("Trn1").device_class == "NEURON" and flyte.HABANA_GAUDI("Gaudi1").device_class == "HABANA"
    assert flyte.AMD_GPU("MI300X") == flyte.Device(1, "MI300X", device_class="AMD_GPU")


def test_credentials_of_a_registry() -> None:
    config = json.loads(docker_config("ghcr.io", "me", "t0ken"))
    assert b64decode(config["auths"]["ghcr.io"]["auth"]) == b"me:t0ken"
    assert "image_pull" in SecretTypes.__args__ and Secret.create is not None


def test_metadata_of_models() -> None:
    metadata = Metadata.create_model_metadata(
        name="m", framework="torch", modality=("text", "image"), attrs={"a": "b", "framework": "x"}
    )
    assert metadata.kind == "model" and metadata.attrs is not None
    assert metadata.attrs[KIND_KEY] == "model" and metadata.attrs["a"] == "b"
    assert (metadata.attrs["framework"], metadata.attrs["modality"]) == ("torch", "text,image")


def test_cards_are_uploaded(box: Devbox, tmp_path: Path) -> None:
    card = Card.create_from(content="<h1>ü</h1>", card_type="model")
    assert card.format == "html" and card.card_type == "model"
    assert Path(flyte.io.File(card.uri).download()).read_text("utf-8") == "<h1>ü</h1>"
    path = tmp_path / "page.md"
    path.write_text("# hi")
    assert Path(flyte.io.File(Card.create_from(local_path=path, format="md").uri).download()).read_bytes() == b"# hi"


def test_attempts_are_counted_from_zero(monkeypatch: pytest.MonkeyPatch) -> None:
    assert flyte.ctx().attempt_number == 0 and not flyte.ctx().is_in_cluster()
    monkeypatch.setenv("FLYTE_ACTION_NAME", "a0")
    monkeypatch.setenv("FLYTE_ATTEMPT", "3")
    assert flyte.ctx().attempt_number == 2 and flyte.ctx().is_in_cluster()


def test_small_helpers() -> None:
    assert flyte.version() == flyte.__version__
    assert flyte.get_custom_context() == {}
    with flyte.custom_context(colour="blue"):
        assert flyte.get_custom_context() == {"colour": "blue"}
    assert flyte.logger is logging.getLogger("flyte.user") and flyte.system_logger is flyte.logger.parent
