"""Formats of the outside world: CSV, iCalendar."""
