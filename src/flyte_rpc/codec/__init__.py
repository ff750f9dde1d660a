"""Protobuf messages: wire format, field descriptors, JSON, well-known types. It imports nothing else of the runtime but small helpers."""
