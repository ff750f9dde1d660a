"""Python types and texts for protobuf elements; modules of messages and services. Imports `configuration` and `definitions`."""
