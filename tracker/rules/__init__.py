"""What the clinic knows, as pure functions: no database, no clock, no web."""
