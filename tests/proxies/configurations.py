"""How each proxy is run in front of a server on loopback: for gRPC over HTTP/2, and for Connect over HTTP/1.1.

A configuration also says how the proxy reads it again, which replaces what serves connections.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from .programs import program


class Settings(NamedTuple):
    """What a configuration depends on."""

    folder: Path
    port: int
    backend: int
    connect: bool
    """Whether it carries Connect over HTTP/1.1 rather than gRPC over HTTP/2."""
    requests: int
    """Requests to a connection, where the proxy can limit them."""
    idle: int
    """Seconds after which it cuts a stream on which nothing happens."""


class Running(NamedTuple):
    """A proxy that was started."""

    process: subprocess.Popen[bytes]
    reload: Callable[[], None]


_NGINX = """
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    client_max_body_size 64m;
    # A connection to the server for each call would overrun the server's queue of connections.
    upstream back {{ server 127.0.0.1:{backend}; keepalive 64; }}
    server {{
        listen 127.0.0.1:{port} {http2};
        keepalive_requests {requests};
        {location}
    }}
}}
"""

_NGINX_GRPC = "grpc_read_timeout {idle}s; location / {{ grpc_pass grpc://back; }}"
_NGINX_CONNECT = """proxy_http_version 1.1; proxy_set_header Connection ""; proxy_read_timeout {idle}s;
        proxy_buffering off; proxy_request_buffering off;
        location / {{ proxy_pass http://back; }}"""

_HAPROXY = """
global
    maxconn 4096
defaults
    mode http
    timeout connect 5s
    timeout client {idle}s
    timeout server {idle}s
frontend front
    bind 127.0.0.1:{port} {protocol}
    default_backend back
backend back
    server one 127.0.0.1:{backend} {protocol}
"""

_CADDY = """
{{
    admin 127.0.0.1:{admin}
    auto_https off
    grace_period 1s
    servers {{
        protocols h1 h2c
    }}
}}
http://127.0.0.1:{port} {{
    reverse_proxy {scheme}127.0.0.1:{backend} {{
        flush_interval -1
        transport http {{
            read_timeout {idle}s
        }}
    }}
}}
"""


def start_nginx(settings: Settings) -> Running:
    location = (_NGINX_CONNECT if settings.connect else _NGINX_GRPC).format(idle=settings.idle)
    text = _NGINX.format(**settings._asdict(), http2="" if settings.connect else "http2", location=location)
    path = _written(settings, "nginx.conf", text)
    process = _run([program("nginx"), "-c", path, "-p", settings.folder])
    return Running(process, lambda: os.kill(process.pid, signal.SIGHUP))


def start_haproxy(settings: Settings) -> Running:
    text = _HAPROXY.format(**settings._asdict(), protocol="" if settings.connect else "proto h2")
    process = _run([program("haproxy"), "-W", "-f", _written(settings, "haproxy.conf", text)])
    return Running(process, lambda: os.kill(process.pid, signal.SIGUSR2))


def start_caddy(settings: Settings) -> Running:
    scheme, admin = "" if settings.connect else "h2c://", free_port()
    text = _CADDY.format(**settings._asdict(), scheme=scheme, admin=admin)
    path = _written(settings, "Caddyfile", text)
    home = {**os.environ, "XDG_DATA_HOME": str(settings.folder), "XDG_CONFIG_HOME": str(settings.folder)}
    options: list[str | Path] = ["--config", path, "--adapter", "caddyfile"]
    process = _run([program("caddy"), "run", *options], env=home)
    again = [program("caddy"), "reload", *options, "--force", "--address", f"127.0.0.1:{admin}"]
    return Running(process, lambda: _done(again, home))


def start_envoy(settings: Settings) -> Running:
    """The listener is in a file of its own: Envoy reads it again when another one takes its place."""
    path = settings.folder / "listener.json"
    generation = 0

    def write_listener() -> None:
        nonlocal generation
        generation += 1
        new = settings.folder / "listener.json.new"
        new.write_text(json.dumps(_envoy_listener(settings, generation)))
        shutil.move(new, path)

    write_listener()
    text = json.dumps(_envoy_bootstrap(settings, path))
    options = ["--concurrency", "1", "--disable-hot-restart", "--drain-time-s", "1", "--log-level", "error"]
    process = _run([program("envoy"), "-c", _written(settings, "envoy.json", text), *options])
    return Running(process, write_listener)


STARTS: dict[str, Callable[[Settings], Running]] = {
    "nginx": start_nginx,
    "haproxy": start_haproxy,
    "envoy": start_envoy,
    "caddy": start_caddy,
}


def _envoy_bootstrap(settings: Settings, listeners: Path) -> dict[str, Any]:
    version: dict[str, Any] = {"http_protocol_options" if settings.connect else "http2_protocol_options": {}}
    options = {
        "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
        "explicit_http_config": version,
    }
    cluster = {
        "name": "back",
        "connect_timeout": "5s",
        "typed_extension_protocol_options": {options["@type"].removeprefix("type.googleapis.com/"): options},
        "circuit_breakers": {
            "thresholds": [{"max_requests": 4096, "max_connections": 4096, "max_pending_requests": 4096}]
        },
        "load_assignment": {
            "cluster_name": "back",
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": _envoy_address(settings.backend)}}]}],
        },
    }
    return {
        "node": {"id": "test", "cluster": "test"},
        "static_resources": {"clusters": [cluster]},
        "dynamic_resources": {"lds_config": {"path_config_source": {"path": str(listeners)}}},
    }


def _envoy_listener(settings: Settings, generation: int) -> dict[str, Any]:
    manager = {
        "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": f"generation{generation}",
        "codec_type": "HTTP1" if settings.connect else "HTTP2",
        "stream_idle_timeout": f"{settings.idle}s",
        "drain_timeout": "0.2s",
        "route_config": {
            "virtual_hosts": [
                {
                    "name": "all",
                    "domains": ["*"],
                    "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "back", "timeout": "0s"}}],
                }
            ]
        },
        "http_filters": [
            {
                "name": "router",
                "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"},
            }
        ],
    }
    listener = {
        "@type": "type.googleapis.com/envoy.config.listener.v3.Listener",
        "name": "front",
        "address": _envoy_address(settings.port),
        "filter_chains": [{"filters": [{"name": "http", "typed_config": manager}]}],
    }
    return {"version_info": str(generation), "resources": [listener]}


def _envoy_address(port: int) -> dict[str, Any]:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def _written(settings: Settings, name: str, text: str) -> Path:
    path = settings.folder / name
    path.write_text(text)
    return path


def _run(command: list[str | Path], env: dict[str, str] | None = None) -> subprocess.Popen[bytes]:
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=env)


def _done(command: list[str | Path], env: dict[str, str]) -> None:
    subprocess.run(command, check=True, capture_output=True, env=env, timeout=20)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
