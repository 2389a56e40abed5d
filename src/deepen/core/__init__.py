"""The ground floor: types, settings, errors, files, seeds and the run folder. It imports no other room."""
