"""The questions of a diagnosis: one file (or folder) a question. `deepen.diagnosis` says what each has."""
