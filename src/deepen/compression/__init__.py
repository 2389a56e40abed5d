"""A finished run made smaller and faster: each file of `ways/` has a value `WAY`; `compress` puts them together."""
