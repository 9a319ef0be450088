"""The whole system on one bare machine: embedded servers, Stripe simulator, supervisor, demo."""
