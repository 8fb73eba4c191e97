"""What the programs need of the machine: data folder, locks, processes, priority, log lines."""
