"""Where tokens are kept between programs: the system's keyring, or a file that only its owner can read."""
