"""Ways of spreading a cohort over processes."""
