"""Pages for a browser that need no network: reports, contact sheets."""
