"""The host as a service of the user's system: launchd or systemd."""
