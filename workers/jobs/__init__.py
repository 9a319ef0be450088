"""The job protocol: intake, publish, claim, intent, outcome, rescue."""
