"""Connect with the keywords that programs of the official SDK pass."""

import logging
from pathlib import Path

import flyte
from flyte.remote import Project

flyte.init_from_config(root_dir=Path.cwd(), log_level=logging.DEBUG, image_builder="local")

project = Project.get(flyte.current_project())
print(project.pb2.name, project.pb2.id == flyte.current_project())

# Prints:
# Weather True
