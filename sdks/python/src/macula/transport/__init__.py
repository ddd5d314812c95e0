"""What a session is said on: WebTransport, WebSocket, or Server-Sent Events and requests."""
