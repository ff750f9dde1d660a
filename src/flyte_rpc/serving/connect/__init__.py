"""Connect and gRPC-Web, over HTTP/1.1 and HTTP/2, and the health endpoints. gRPC has a module of its own: `serving/grpc.py`."""
