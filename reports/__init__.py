"""Pages from results: data first (`view`), then HTML (`render`)."""
