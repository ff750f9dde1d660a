"""Actions: listings, details, reports and code."""
