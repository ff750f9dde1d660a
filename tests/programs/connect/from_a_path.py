"""Connect with a file that an environment variable or an argument names, in async code."""

import asyncio
import os
from pathlib import Path

import flyte
import flyte.remote as remote


async def main() -> None:
    await flyte.init_from_config.aio(os.environ.get("FLYTE_CONFIG", Path("config.yaml")), domain="staging")
    print("domain:", flyte.current_domain())
    print("runs here:", len([run async for run in remote.Run.listall.aio()]))


asyncio.run(main())

# Prints:
# domain: staging
# runs here: 0
