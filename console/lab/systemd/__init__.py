"""The systemd lab: three nspawn machines with real services, for root on Linux."""
