"""Course tracker: plans, reminds of and follows courses of treatment."""
