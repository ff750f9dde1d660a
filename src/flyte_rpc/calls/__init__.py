"""One call: client, deadline, retries, metadata, and the descriptions of RPCs. It imports codec and transports."""
