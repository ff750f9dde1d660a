import signal

from hypothesis import settings

# A shell that starts the tests in the background leaves SIGINT ignored; tests of interrupts need it.
signal.signal(signal.SIGINT, signal.default_int_handler)

# How long an example takes depends on what else the machine does.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
