"""Warm starts: a fork server inside a sandbox, and a fresh sandbox nested in it for every program."""
