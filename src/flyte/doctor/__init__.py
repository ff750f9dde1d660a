"""`python -m flyte doctor`: tests the connection to a control plane step by step, with a remedy for what fails."""
