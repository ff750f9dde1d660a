"""The definition of a task, and changed copies of it."""
