"""The definition of a task, and changed copies of it. Imports `remote._common`, `definitions` and `types`."""
