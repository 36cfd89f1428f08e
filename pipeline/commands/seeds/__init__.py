"""Train several seeds of a recipe, and count what so many show."""
