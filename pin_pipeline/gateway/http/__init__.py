"""HTTP side of the gateway: API keys, back-pressure, content negotiation, metrics and error responses."""
