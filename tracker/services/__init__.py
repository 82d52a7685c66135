"""Use cases. Each takes a session and `now`, and never commits."""
