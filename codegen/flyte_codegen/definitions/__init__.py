"""Protobuf definitions: loading, checking, and the frozen model of them."""
