"""What a program of the official SDK does, against the endpoint in its argument. It prints one line of JSON for each answer."""

import json
import pathlib
import sys

import authored

import flyte
import flyte.remote as remote


def say(what: str, value: object) -> None:
    print("@" + json.dumps({what: value}), flush=True)


def main() -> None:
    here = pathlib.Path(__file__).parent
    flyte.init(endpoint=sys.argv[1], insecure=True, project="flytesnacks", domain="development", root_dir=here)
    say("projects", [project.pb2.id for project in remote.Project.listall()])

    plain = flyte.run(remote.Task.get("theirs.add", auto_version="latest"), a=1, b=3)
    plain.wait()
    say("plain", [plain.phase.value, plain.outputs()[0]])
    say("runs", [run.name == plain.name for run in remote.Run.listall()])
    say("actions", [[action.name, action.phase.value] for action in remote.Action.listall(for_run_name=plain.name)])
    plain.show_logs()

    whole = flyte.run(authored.whole, 6)
    whole.wait()
    say("whole", [whole.name, whole.phase.value, whole.outputs()[0]])

    failing = flyte.run(authored.failing)
    failing.wait()
    say("failing", [failing.name, failing.phase.value])

    flyte.deploy(authored.env)
    found = remote.Task.get("authored.widen", auto_version="latest")
    deployed = flyte.run(found, box=authored.Box(1, []))
    deployed.wait()
    say("deployed", [deployed.phase.value, deployed.outputs()[0].width])
    say("tasks", sorted(task.name for task in remote.Task.listall()))

    slow = flyte.run(authored.slow)
    slow.abort()
    slow.wait()
    say("aborted", slow.phase.value)

    remote.Secret.create("their-key", "their value")
    say("secrets", [secret.name for secret in remote.Secret.listall()])
    told = flyte.run(authored.told)
    told.wait()
    say("told", [told.phase.value, told.outputs()[0]])
    remote.Secret.delete("their-key")
    say("secrets left", [secret.name for secret in remote.Secret.listall()])

    settings = remote.Settings.get_settings_for_edit(project="flytesnacks", domain="development")
    settings.update_settings({"run.default_queue": "theirs"})
    settings = remote.Settings.get_settings_for_edit(project="flytesnacks", domain="development")
    say("settings", [setting.value for setting in settings.local_settings if setting.key == "run.default_queue"])

    remote.Trigger.create(flyte.Trigger("nightly", flyte.Cron("0 3 * * *"), inputs={"width": 3}), "authored.whole")
    say("triggers", [[trigger.name, trigger.is_active] for trigger in remote.Trigger.listall()])
    remote.Trigger.delete("nightly", "authored.whole")
    say("triggers left", [trigger.name for trigger in remote.Trigger.listall()])

    upload = here / "upload.txt"
    upload.write_text("uploaded")
    md5, uri = remote.upload_file(upload)
    say("uploaded", [md5, uri])


main()
