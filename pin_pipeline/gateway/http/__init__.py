"""HTTP side of the gateway: authentication, back-pressure, media types and routing helpers."""
