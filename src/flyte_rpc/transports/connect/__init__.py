"""The Connect transport: protobuf over plain HTTP/1.1 or HTTP/2, for servers and proxies through which gRPC does not pass."""
