"""What is learned: the task, the rows and the model of a climb, and the parts and losses that tasks share."""
