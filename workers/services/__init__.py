"""What Tollgate does with payments: plain functions over the job protocol, the tables and the gateways."""
