"""HTTP/2 as a client needs it: frames, header blocks, one connection and its streams. It imports nothing but framing and transport limits."""
