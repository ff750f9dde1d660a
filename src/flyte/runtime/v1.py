"""The names that generated code may import: a contract with a version.

Generated modules import nothing of ours but this module. A change that would break modules generated earlier goes
into a new module beside it, so that SDKs generated on an older release keep working.
"""
