"""Protobuf messages: wire format, field descriptors, JSON, well-known types. It imports only small helpers of the runtime."""
