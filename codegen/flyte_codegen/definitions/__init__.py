"""Protobuf definitions: loading, checking, and the frozen model of them. Imports no other folder."""
