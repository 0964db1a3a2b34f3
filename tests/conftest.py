"""What all tests share."""

from hypothesis import settings

# Shared machines are slow at times; a deadline would be a timed assertion.
settings.register_profile("default", deadline=None)
settings.load_profile("default")
