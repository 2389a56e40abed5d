"""Every rung of the run is trained anew on all rows."""

from deepen.continual.method import UpdateMethod

METHOD = UpdateMethod(order=2, whole_climb=True)
