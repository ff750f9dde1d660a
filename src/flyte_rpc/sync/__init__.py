"""Blocking and awaiting forms of one method, and the event loop behind the blocking ones. It imports errors alone."""
