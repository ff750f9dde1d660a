"""Blocking and async forms of methods, and the event loop behind the blocking ones. It imports only errors."""
