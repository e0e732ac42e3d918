"""What the soak is made of: a cohort with killers in it, a view from outside, a judgement."""
