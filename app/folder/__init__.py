"""What a computer keeps between two runs: models, speeds, counts, contacts, choices."""
