"""Files of the devbox: blobs, signed links, logs, hashes.

It imports keys and the bus, and no other folder.
"""
