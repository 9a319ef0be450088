"""How it is done: services, gateways, resilience, the job protocol and the projections."""
