"""Python functions as tasks: interface, arguments, and JSON schema of the inputs. It imports all other folders here."""
