"""The shared language of ingress, workers and tasks: jobs, journal entries, views and ids. Imports config only."""
