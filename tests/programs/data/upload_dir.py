"""Upload a folder and single files in async code."""

import asyncio
from pathlib import Path

import flyte
import flyte.remote as remote


async def main() -> None:
    await flyte.init_from_config.aio()
    folder = Path("days")
    (folder / "june").mkdir(parents=True)
    for day in ("june/1.txt", "june/2.txt", "notes.txt"):
        (folder / day).write_text(day)
    uri = await remote.upload_dir.aio(folder)
    print(uri.partition("://")[1], len(uri) > 10)
    uploads = await asyncio.gather(*(remote.upload_file.aio(path) for path in sorted(folder.glob("june/*.txt"))))
    print([where.rpartition("/")[2] for _, where in uploads])


asyncio.run(main())

# Prints:
# :// True
# ['1.txt', '2.txt']
