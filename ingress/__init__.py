"""What may be asked: schemas, routes, the accept script, signatures and views."""
