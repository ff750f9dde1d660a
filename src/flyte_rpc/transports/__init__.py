"""What carries a call to a server: the `Transport` protocol, and the transports for gRPC and Connect. It imports errors, and no other folder."""
