"""Where code that is not trusted runs."""
