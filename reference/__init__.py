"""The oracle: obvious, exact implementations of what the course teaches. Knows nothing of grading."""
