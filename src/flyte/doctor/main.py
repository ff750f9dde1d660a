"""The command line of the doctor."""

from __future__ import annotations

import argparse
import asyncio
import sys
import warnings
from collections.abc import Sequence

from flyte.access.config_file import config_file
from flyte.access.settings import Settings
from flyte_rpc.errors import SdkError
from flyte_rpc.redaction import redact
from flyte_rpc.terminal import print_line

from . import report
from .checks import diagnose

_ARGUMENTS = ("endpoint", "org", "project", "domain", "transport", "ca_cert_file_path", "http_proxy_url")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the checks. Returns the exit code: 0 if nothing failed."""
    options = _parser().parse_args(arguments)
    with warnings.catch_warnings(record=True) as noted:
        warnings.simplefilter("always")
        given = {name: getattr(options, name) for name in _ARGUMENTS}
        given["interactive"] = False if options.unattended else None
        try:
            settings = Settings(given, config_file(options.config))
        except SdkError as error:
            failure = report.Result("settings", report.FAILED, redact(str(error)), "", 0.0)
            print_line(report.as_json([], [failure]) if options.json else report.line(failure), sys.stdout)
            return 1
    for warning in noted:
        print_line(f"warning: {warning.message}", sys.stderr)
    return asyncio.run(_report(settings, options.timeout, json=options.json))


async def _report(settings: Settings, timeout: float, *, json: bool) -> int:
    shown, results = report.described(settings), list[report.Result]()
    if not json:
        print_line(report.as_text(shown), sys.stdout)
    async for result in diagnose(settings, timeout):
        results.append(result)
        if not json:
            print_line(report.line(result), sys.stdout)
    if json:
        print_line(report.as_json(shown, results), sys.stdout)
    return int(any(result.outcome == report.FAILED for result in results))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m flyte doctor",
        description="Test the connection to a control plane step by step. Nothing is changed.",
    )
    parser.add_argument("--config", help="configuration file (default: the first that flyte.init_from_config finds)")
    parser.add_argument("--endpoint", help="control plane, such as https://flyte.example.com")
    parser.add_argument("--org", help="organization")
    parser.add_argument("--project", help="default project")
    parser.add_argument("--domain", help="default domain")
    parser.add_argument("--transport", help="auto, grpc, connect or grpclib")
    parser.add_argument("--ca-cert-file-path", help="PEM file of the authorities to trust")
    parser.add_argument("--http-proxy-url", help="http://[user:password@]host:port of a proxy")
    parser.add_argument("--timeout", type=float, default=15.0, help="seconds for each call (default: 15)")
    parser.add_argument("--unattended", action="store_true", help="ask nobody to log in")
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser
