"""What the screens need from the session, as Protocols. The session knows nothing of them; it only has these shapes."""
