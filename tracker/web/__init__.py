"""HTTP in, HTML out: staff pages and patient pages."""
