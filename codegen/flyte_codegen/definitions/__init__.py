"""Load and check protobuf definitions, and hold them as frozen objects. Imports no other folder."""
