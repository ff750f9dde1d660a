"""The server side over grpclib, and the base of generated services. It imports calls and codec; no client code imports its server."""
