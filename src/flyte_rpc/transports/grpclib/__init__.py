"""gRPC over grpclib's HTTP/2 connections, beside the client's own."""
