"""All services on one host: one HTTP app, fractalctl, and the embedded stack."""
