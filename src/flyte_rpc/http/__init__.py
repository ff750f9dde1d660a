"""HTTP requests besides calls, such as those that log in. `urllib3` is imported with the first request."""
