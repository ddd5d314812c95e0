"""A session on the HTTP API: requests, and streams of events."""
