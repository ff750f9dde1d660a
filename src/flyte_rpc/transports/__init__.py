"""What carries a call to a server: the `Transport` protocol and the gRPC transport. It imports errors, and no other folder."""
