"""Getting one message to one destination: its states, its queue in the ledger, who sends it."""
