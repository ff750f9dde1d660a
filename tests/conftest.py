import signal

# A shell that starts the tests in the background leaves SIGINT ignored; tests of interrupts need it.
signal.signal(signal.SIGINT, signal.default_int_handler)
