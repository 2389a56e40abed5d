"""Every rung of the run is trained anew on all rows."""

from deepen.continual.method import UpdateMethod

METHOD = UpdateMethod(
    about="trains every rung anew on all rows", suits=lambda rung: True, refusal="", order=2, whole_climb=True
)
