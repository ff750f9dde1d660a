"""List projects, archive one, and list again."""

import flyte
from flyte.remote import Project

flyte.init_from_config()

here = flyte.current_project()
print("active:", here in [project.pb2.id for project in Project.listall(sort_by=("created_at", "desc"))])

Project.update(here, description="Measured every hour", labels={"team": "vision"})
project = Project.get(here)
print(project.pb2.description, "-", dict(project.pb2.labels.values))

project.archive()
print("active:", here in [project.pb2.id for project in Project.listall()])
print("archived:", here in [project.pb2.id for project in Project.listall(archived=True)])

# Prints:
# active: True
# Measured every hour - {'team': 'vision'}
# active: False
# archived: True
