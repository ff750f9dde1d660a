"""The runtime of generated clients: messages, calls, connections, entities, servers.

It is independent of products: an SDK built on it supplies names, setup functions and hints. It imports no SDK.
"""
