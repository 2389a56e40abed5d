"""What a person reads about a run: the model card and the page. Reads only the run folder."""
