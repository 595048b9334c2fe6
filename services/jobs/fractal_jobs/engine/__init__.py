"""The durable state machine of every job. Any number of replicas; each transition is one transaction."""
