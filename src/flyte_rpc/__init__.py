"""The runtime that generated clients stand on: messages, calls, connections, entities, servers.

It knows no product: names, set-up calls and hints come from the SDK that builds on it. It imports nothing of such an SDK.
"""
