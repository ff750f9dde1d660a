"""How sockets are opened: addresses, proxies and TLS. All transports and HTTP requests of a client share it."""
