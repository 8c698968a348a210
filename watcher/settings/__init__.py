"""The settings: from flags, the environment and a TOML file to frozen values. Read once, at start."""
