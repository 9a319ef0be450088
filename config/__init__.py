"""What is set once per process: settings, key rings, queues, logs and the Celery factory."""
