"""The page for people: HTML rendered here, kept fresh by a small script, and usable without it."""
