"""What the devbox remembers, in SQLite. All SQL is here."""
