"""The audit: how well an assignment's checks tell right from wrong, measured by marking what is known to be either."""
