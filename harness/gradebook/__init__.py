"""Every run, kept: the schema, its migrations, queries and exports."""
