"""Python names, types and texts for protobuf elements; modules of messages and services."""
