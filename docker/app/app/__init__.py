"""A small bookshop with known faults, each beside the route that does the same without it."""
