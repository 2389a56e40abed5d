"""What can be learned: one file a task, each with a value `TASK` and nothing that another task needs."""
