"""Python functions as tasks: their interface, their arguments, the JSON schema of their inputs. It imports all other folders here."""
