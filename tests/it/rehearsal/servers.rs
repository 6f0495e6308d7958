//! Throw-away servers: gone with whoever started them, and out of each other's way.
