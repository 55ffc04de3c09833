"""What deliveries say about items: versions, each valid from a moment on."""
