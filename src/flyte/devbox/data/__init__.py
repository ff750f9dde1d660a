"""Files of the devbox: blobs, signed links, logs, hashes."""
