"""Python types and literals for protobuf elements, and modules of messages and services. Imports `configuration` and `definitions`."""
